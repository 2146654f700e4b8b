"""The threads that answer: all there from the start, none lost to what its work raises, none left when they end."""

import queue
import threading
import weakref

from webhook.server.threads import Threads

COUNT = 3
SECONDS = 10.0


class Held:
    """Something that a request holds."""


def test_work_is_done_by_all_threads_at_once() -> None:
    threads, together = Threads(COUNT), threading.Barrier(COUNT + 1)
    for _ in range(COUNT):
        threads.submit(together.wait, SECONDS)
    together.wait(SECONDS)
    threads.shutdown(wait=True)


def test_a_thread_survives_whatever_its_work_raises() -> None:
    threads, done = Threads(1), queue.SimpleQueue[str]()

    def fail(error: BaseException) -> None:
        raise error

    for error in (ValueError("no"), MemoryError(), SystemExit(3)):
        threads.submit(fail, error)
    threads.submit(done.put, "went on")
    assert done.get(timeout=SECONDS) == "went on"
    threads.shutdown(wait=True)


def test_what_was_submitted_is_done_in_its_order_before_they_end() -> None:
    before = threading.active_count()
    threads, begin, done = Threads(1), threading.Event(), list[int]()
    threads.submit(begin.wait, SECONDS)
    for number in range(50):
        threads.submit(done.append, number)
    threads.shutdown(wait=False)
    assert done == []
    begin.set()
    threads.shutdown(wait=True)
    assert done == list(range(50))
    assert threading.active_count() == before


def test_a_thread_that_waits_holds_nothing_of_its_last_request() -> None:
    """Of 64 idle threads each would hold a body of up to 7 MiB."""
    threads, held, done = Threads(1), Held(), threading.Event()
    gone = weakref.ref(held, lambda _: done.set())
    threads.submit(id, held)
    del held
    assert done.wait(SECONDS)
    assert gone() is None
    threads.shutdown(wait=True)
