"""Which registries are left alone for a while, by this replica: pure but for what it remembers.

One that does not answer, or asks for patience, is left alone for half a minute, and for twice as long each further time
up to a quarter of an hour, or for as long as it asks for. One answer of whatever kind forgets that. Meanwhile all its
images wait, and those of others go on. Replicas do not tell one another: each meets a registry that is down for itself,
and a few requests more do no harm.
"""

from dataclasses import dataclass

from webhook.controller.fault import Backoff, Fault

_BACKOFF = Backoff(first=30, longest=900)
# Registries that are remembered; one takes some 200 bytes. Whoever starts notebooks chooses how many there are.
_MOST = 10_000


@dataclass(slots=True)
class _Silence:
    """`failures` in a row; left alone until then."""

    failures: int = 0
    until: float = 0.0


class Registries:
    """What is known of registries; `now` is in seconds by one clock. Not for threads to share without a lock.

    Args:
        backoff: of a registry that does not answer.
    """

    def __init__(self, backoff: Backoff = _BACKOFF) -> None:
        self._backoff = backoff
        self._silent: dict[str, _Silence] = {}

    def free_at(self, registry: str) -> float:
        """Tell from when on it may be asked; 0 where nothing speaks against it."""
        silence = self._silent.get(registry)
        return silence.until if silence else 0.0

    def answered(self, registry: str) -> None:
        """Take note that it is there."""
        self._silent.pop(registry, None)

    def failed(self, registry: str, fault: Fault, now: float) -> float:
        """Take note that it is not, or wants to be left alone; give from when on it may be asked again."""
        if len(self._silent) >= _MOST:
            self._silent = {name: one for name, one in self._silent.items() if one.until > now}
        silence = self._silent.setdefault(registry, _Silence())
        # Tries that began together fail together: that is one failure.
        if now >= silence.until:
            silence.failures += 1
        pause = max(self._backoff.pause(silence.failures), fault.asked_for)
        silence.until = max(silence.until, now + pause)
        return silence.until

    def paused(self, now: float) -> int:
        """Count those that are left alone now."""
        return sum(silence.until > now for silence in self._silent.values())
