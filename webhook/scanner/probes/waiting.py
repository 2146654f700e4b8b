"""From the start of a process to what it answers: when to ask again, and when to stop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from webhook.core.words import cut
from webhook.scanner.probes.asking import Asker, Silence
from webhook.scanner.probes.connector import Connector
from webhook.scanner.probes.listening import Listener, only_loopback, other_ports
from webhook.scanner.probes.observation import Ending, Page, Run


class Started(Connector, Protocol):
    """A process that was just started. Everything raises ProbeError where it cannot be told."""

    def exited(self) -> bool:
        """Tell whether it has ended; cheap, for it is asked often."""
        ...

    def ending(self) -> tuple[int | None, str]:
        """Give the exit code of one that has ended, and why, where the runtime knows more: `out of memory`."""
        ...

    def listening(self) -> Sequence[Listener]:
        """Give what listens now; empty where that cannot be seen. Cheap too."""
        ...

    def log(self) -> tuple[str, ...]:
        """Give the last lines of its output: clean, at most 20 of 200 characters. Asked last: it may end it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        timeout: for a server that does not answer, or with 5xx only.
        settle: how long an answer that is not good must stay the same, for many servers answer 404 while they start;
            and how long a server that only its own machine can reach must stay so.
        interval: between two looks while nothing answers.
        pause: between two looks once something does: each may be a line in its log, of which the end is wanted.
    """

    timeout: float
    settle: float = 5.0
    interval: float = 0.1
    pause: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time, and a way to let it pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look; `apart`: it listens, but only for its own machine."""

    exited: bool
    answer: Page | Silence
    apart: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    ending: Ending
    answer: Page | Silence
    seconds: float


def watch(
    started: Started,
    prefix: str,
    patience: Patience,
    *,
    home: bool,
    confined: bool,
    clock: Clock | None = None,
) -> Run:
    """Wait until a server answers well, its answers have settled, the process has ended or time is up; then look.

    `home` and `confined` are how it was started. Raises ProbeError where the runtime cannot be asked.
    """
    asker = Asker(connector=started, prefix=prefix)
    outcome = _wait(started, asker, patience, clock or Clock())
    answered = outcome.ending == "answered"
    code, reason = started.ending() if outcome.ending == "exited" else (None, "")
    root = _page(asker.at_root()) if answered else None
    rewritten = _page(asker.rewritten()) if answered else None
    listening = started.listening()
    return Run(
        home=home,
        confined=confined,
        ending=outcome.ending,
        prefix=outcome.answer if isinstance(outcome.answer, Page) else None,
        root=root,
        rewritten=rewritten,
        listening=other_ports(listening),
        loopback=only_loopback(listening),
        exit_code=code,
        reason=reason or _silence(outcome),
        seconds=outcome.seconds,
        log=started.log(),
    )


def _wait(started: Started, asker: Asker, patience: Patience, clock: Clock) -> _Outcome:
    begin = since = clock.now()
    before: _Look | None = None
    while True:
        look = _look(started, asker)
        now = clock.now()
        since = since if look == before else now
        before = look
        ending = _ending(look, settled=now - since >= patience.settle)
        if ending is None and now - begin >= patience.timeout:
            ending = "answered" if isinstance(look.answer, Page) else "silent"
        if ending is not None:
            return _Outcome(ending=ending, answer=look.answer, seconds=now - begin)
        clock.sleep(patience.pause if isinstance(look.answer, Page) else patience.interval)


def _look(started: Started, asker: Asker) -> _Look:
    # Asked before, so that a process which answers and then ends is not taken for one that never answered.
    exited = started.exited()
    answer = asker.under_prefix()
    apart = isinstance(answer, Silence) and only_loopback(started.listening())
    return _Look(exited=exited, answer=answer, apart=apart)


def _ending(look: _Look, *, settled: bool) -> Ending | None:
    """Tell how it ends, now; None where waiting may still change that."""
    if isinstance(look.answer, Page) and (
        look.answer.good or (settled and look.answer.status < 500)
    ):
        return "answered"
    if look.exited:
        return "exited"
    return "silent" if settled and look.apart else None


def _page(answer: Page | Silence) -> Page | None:
    return answer if isinstance(answer, Page) else None


def _silence(outcome: _Outcome) -> str:
    """Say what a server does that takes connections and answers none; nothing of others."""
    if outcome.ending != "silent" or not isinstance(outcome.answer, Silence):
        return ""
    reason = f"8888 takes connections, but {outcome.answer.reason}"
    return cut(reason, 200) if outcome.answer.listening else ""
