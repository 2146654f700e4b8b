"""A scan has an end, however many waits it is made of."""

import pytest

from webhook.scanner.errors import Unreachable
from webhook.scanner.progress import Limited


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def stage(self, text: str) -> None:
        self.told.append(text)

    def expect(self, size: int) -> None:
        self.told.append(size)

    def advance(self, size: int) -> None:
        self.told.append(size)


def test_everything_is_passed_on_until_the_time_is_up() -> None:
    now = [0.0]
    heard = Heard()
    limited = Limited(heard, 120, clock=lambda: now[0])
    limited.stage("resolving")
    limited.expect(7)
    now[0] = 120.0
    limited.advance(3)
    assert heard.told == ["resolving", 7, 3]
    now[0] = 120.1
    with pytest.raises(Unreachable, match="longer than 2 minutes"):
        limited.stage("x")
    with pytest.raises(Unreachable, match="longer than 2 minutes"):
        limited.expect(1)
    with pytest.raises(Unreachable, match="longer than 2 minutes"):
        limited.advance(0)
    assert heard.told == ["resolving", 7, 3]
