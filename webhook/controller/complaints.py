"""Problems told in the log, and not again and again: what goes wrong with an API server goes wrong every second."""

import threading
import time
from collections.abc import Callable

_SILENCE = 60.0  # seconds for which the same sentence is not repeated
_LIMIT = 1000  # sentences that are remembered


class Complaints:
    """Tells a sentence, unless it has told just that lately. Threads may share it."""

    def __init__(
        self, tell: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self._clock = tell, clock
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, problem: str) -> None:
        """Tell it."""
        now = self._clock()
        with self._lock:
            self._told = {text: at for text, at in self._told.items() if now - at < _SILENCE}
            if problem in self._told or len(self._told) >= _LIMIT:
                return
            self._told[problem] = now
        self._tell(problem)
