"""Waiting for what another program does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.05  # seconds: short beside what is waited for, long beside what one look costs
SEEN_LENGTH = 2000  # characters of the last sight that an error shows


def wait_for(
    predicate: Callable[[], T | None],
    seconds: float,
    what: str,
    *,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Return the predicate's first true value.

    `what` completes "waited 5 s in vain for …". Exceptions named in `ignoring` mean "not yet"; any
    other one ends the wait at once. Raises TimeoutError, which tells what was seen last.
    """
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            value = predicate()
            if value:
                return value
            last = value
        except ignoring as error:
            last = error
        if time.monotonic() >= deadline:
            seen = repr(last)[:SEEN_LENGTH]
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}; seen last: {seen}")
        time.sleep(PAUSE)
