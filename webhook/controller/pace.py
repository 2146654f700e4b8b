"""How fast we write: so slowly that no API server notices, whatever there is to do."""

import time
from collections.abc import Callable

# Writes a second: the API server's own controllers do with as many (kube-controller-manager, --kube-api-qps=20).
USUAL = 20.0


class Pace:
    """Keeps so much time between two writes that there are at most `rate` a second. Of one thread."""

    def __init__(
        self,
        rate: float = USUAL,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = 1 / rate
        self._clock, self._sleep = clock, sleep
        self._next = clock()

    def wait(self) -> None:
        """Wait until the next write is due."""
        now = self._clock()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._pause
