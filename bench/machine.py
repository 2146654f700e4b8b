"""The machine: which processor serves and which one asks, and what else there is to know of it."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import webhook


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


def describe() -> dict[str, Any]:
    """Give what the figures depend on. The load average tells whether the machine had other work."""
    return {
        "nbgate": webhook.__version__,
        "python": platform.python_version(),
        "gunicorn": version("gunicorn"),
        "processor": _model(),
        "processors": len(_processors()),
        "kernel": platform.release(),
        "loadAverage": os.getloadavg()[0],
    }


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
