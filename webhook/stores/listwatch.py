"""One kind of object in the cluster, listed and then watched, for as long as somebody wants to know.

          ┌──────────────────────────────────────────────┐
          ▼                                              │ in good order, after 30 s
    list ──► read through ──► watch ─────────────────────┤
     ▲                                                   │ a broken line, a version too old
     └──────────────────────── pause ◄───────────────────┘

The list comes out of the API server's cache, as that of every controller does: 50,000 objects out of etcd take three
times as long, and keep it busy. But a cache may be old, or empty and slow to fill, as after a start: after a list that
failed the next one comes out of etcd, and so on in turns.

**What proves that the sink is current.** An event, for it comes from etcd. And that a watch is accepted, for what is
missing then follows at once: it counts from the moment before an object was read that no cache answers for. Neither a
list alone, nor a watch that stays open, bookmarks or its end in good order: an API server that is cut off from etcd
does all of that out of its cache, while others take changes and ask us for decisions.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from webhook.core.words import cut
from webhook.kube import PAGE, Document, Event, Page
from webhook.kubeerrors import KubeError, Resource, Unreachable

# Half of what is called stale (60 s), so that a proof is never late because one try failed.
WATCH_SECONDS = 30
_ANY = "0"  # the version that asks for a list of any age
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
_DOUBLINGS = 5  # from the first pause to the longest
# So many objects take a millisecond to read. Then whoever decides gets a turn: a thread that never rests gives one only
# every 5 ms (sys.getswitchinterval), and while 50,000 are read decisions would take ten times as long.
_A_BREATH = 16
_BREATH_SECONDS = 50e-6
# A watch that ends sooner is none: a proxy or an API server on its way out. Without a pause we would ask all day.
_SHORTEST = 1.0


class Sink(Protocol):
    """What a ListWatch tells; from its thread, one call at a time."""

    def replaced(self, documents: Iterator[Document]) -> None:
        """Take a whole list in the place of all that is held.

        The documents come as they are fetched. An error while they come passes through here, and then all that was
        held stays as it was.
        """

    def changed(self, event: Event) -> None:
        """Take one change: ADDED, MODIFIED or DELETED."""


class Lister(Protocol):
    """What is asked of the cluster: a `Kube`."""

    def cached(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        version: str = "0",
        labels: str = "",
        fields: str = "",
    ) -> Iterator[Page]:
        """Give all objects out of the API server's cache; the last part has the version."""

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        size: int = PAGE,
    ) -> Iterator[Page]:
        """Give all objects out of etcd, part by part."""

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        version: str,
        seconds: int,
        labels: str = "",
        fields: str = "",
    ) -> AbstractContextManager[Iterator[Event]]:
        """Hold a watch of what changes after a version."""


def _quiet(_: str) -> None:
    pass


class ListWatch:
    """Keeps a sink as the cluster is, in a thread of its own from `start` to `stop`.

    Args:
        kube: the cluster; threads may share it.
        resource: what is listed.
        sink: who is told.
        namespace: None for all.
        labels: a selector.
        fields: a selector.
        clock: what `heard_at` is measured by.
        report: told of each new problem once, and of its end.

    Attributes:
        heard_at: by the clock, when the API server last proved that the sink is current; None: not yet.
        problem: why it may not be; empty when all is well.
    """

    def __init__(
        self,
        kube: Lister,
        resource: Resource,
        sink: Sink,
        *,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str], object] = _quiet,
    ) -> None:
        self.heard_at: float | None = None
        self.problem = ""
        self._kube = kube
        self._resource = resource
        self._sink = sink
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._clock = clock
        self._report = report
        self._version = _ANY
        self._listed = False
        self._through_cache = True
        self._failures = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; it is no reason for the process to live. Raises RuntimeError if it was started before."""
        if self._thread is not None:
            raise RuntimeError("a ListWatch is started once; make another")
        name = f"nbgate-{self._resource.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, without waiting for what is under way: a watch that is silent hears of it only when it ends."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
            except KubeError as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - whatever a sink meets, the next list is another chance
                self._failed(f"{type(error).__name__}: {cut(str(error), 200)}")

    def _round(self) -> None:
        """List where that is due, then watch until the watch ends in good order."""
        if not self._listed:
            self._list()
        started = self._clock()
        # Any object, without the selectors: else the API server reads object after object until one fits. Where that
        # fails, what is held is as good as it was.
        next(self._kube.pages(self._resource, self._namespace, size=1), None)
        self._listed = False
        self._watch(started)
        self._listed = True

    def _list(self) -> None:
        version = self._version

        def documents() -> Iterator[Document]:
            nonlocal version
            for page in self._pages():
                version = page.version
                for some in range(0, len(page.items), _A_BREATH):
                    yield from page.items[some : some + _A_BREATH]
                    time.sleep(_BREATH_SECONDS)

        try:
            self._sink.replaced(documents())
        except KubeError:
            self._through_cache = not self._through_cache
            raise
        self._version, self._listed, self._through_cache = version, True, True

    def _pages(self) -> Iterator[Page]:
        """List out of the cache, and where that failed, out of etcd, in turns."""
        labels, fields = self._labels, self._fields
        if not self._through_cache:
            return self._kube.pages(self._resource, self._namespace, labels=labels, fields=fields)
        # Not older than what the sink has, for another API server's cache may be behind.
        return self._kube.cached(
            self._resource,
            self._namespace,
            version=self._version,
            labels=labels,
            fields=fields,
        )

    def _watch(self, started: float) -> None:
        with self._kube.watch(
            self._resource,
            self._namespace,
            version=self._version,
            seconds=WATCH_SECONDS,
            labels=self._labels,
            fields=self._fields,
        ) as events:
            self.heard_at = started
            self._well()
            for event in events:
                if self._stopping.is_set():
                    return
                self._take(event)
        if self._clock() - started < _SHORTEST:
            raise Unreachable(f"cannot watch {self._resource.name}: the watch ends at once")
        self._failures = 0

    def _take(self, event: Event) -> None:
        if event.type != "BOOKMARK":
            self._sink.changed(event)
            self.heard_at = self._clock()
        self._version = str(event.object["metadata"]["resourceVersion"])

    def _well(self) -> None:
        if self.problem:
            self.problem = ""
            self._report(f"{self._resource.name} are followed again")

    def _failed(self, problem: str) -> None:
        """Tell why, and rest before the next round."""
        if self._stopping.is_set():
            return
        if problem != self.problem:
            self.problem = problem
            self._report(problem)
        # Half of it by chance, so that replicas which lost one API server do not come to the next in step.
        longest = min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE)
        self._failures = min(self._failures + 1, _DOUBLINGS)
        self._stopping.wait(longest * random.uniform(0.5, 1))  # noqa: S311 - no secret
