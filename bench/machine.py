"""The machine's processors: which one serves, and which one asks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def _processors() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def server_processor() -> int:
    """Choose the one processor that what is measured runs on."""
    return _processors()[-1]


def load_processor() -> int:
    """Choose the one that the load comes from; the same one where there is no other."""
    return _processors()[0]


@contextmanager
def pinned(processor: int) -> Iterator[None]:
    """Keep this process, and those that it starts meanwhile, on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
