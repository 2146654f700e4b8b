"""From a decision to its audit record, at every place that keeps them."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webhook.core.audit import Level, build_record, identity, recorded
from webhook.core.decision import Decision, Snapshot
from webhook.core.review import Request
from webhook.server.auditsink import AuditError, Sink
from webhook.server.health import Condition
from webhook.server.suppression import Suppression


@dataclass(frozen=True, slots=True)
class _Channel:
    """A sink, and what it was told already: each sink's records are complete by themselves."""

    sink: Sink
    suppression: Suppression


class Recorder:
    """Writes the record of each decision that is to be recorded to every sink, in their order: the file first.

    Identical refusals are counted, not repeated. A denial's record is on disk before its answer leaves. Where a record
    cannot be written, the denial is a denial all the same: the loss is reported, `conditions` says why, and the
    refusal counts in the next record of its kind, which is written as soon as it can be.

    Dry runs are recorded like all requests, with `dryRun: true`. What a webhook must not do in one is to change state
    that others build on (`sideEffects: NoneOnDryRun`); a log observes. Kubernetes' own audit log holds dry runs too,
    Gatekeeper logs their denials (`--log-denies`, pkg/webhook/policy.go), and Kyverno leaves out only what it would
    create in the cluster (pull requests 4994 and 6649). An auditor needs them: the spawner's first request is one,
    and it may be the only one that ever names the refused image.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        level: Level,
        report: Callable[[str], None],
        suppression: Callable[[], Suppression] = Suppression,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the sinks; `report` is told, in a sentence, of each record that a sink lost.

        `suppression` makes each sink's own; `clock` gives seconds and never goes back.
        """
        self._channels = tuple(_Channel(sink, suppression()) for sink in sinks)
        self._level = level
        self._report = report
        self._clock = clock

    def records(self, decision: Decision) -> bool:
        """Tell whether a decision is to be recorded: then `record` waits for disks, or for who reads the output."""
        return recorded(decision, self._level)

    def record(
        self,
        review: Request,
        decision: Decision,
        snapshot: Snapshot,
        *,
        endpoint: str,
        now: float,
        seconds: float,
    ) -> None:
        """Record one decision, if it is to be recorded. Never raises for what is wrong with a sink.

        `now` is the decision's own time, in seconds since the epoch; `seconds` is how long the decision took.
        """
        if not self.records(decision):
            return
        key = _key(review, decision, endpoint) if _repeats(decision) else None
        for channel in self._channels:
            suppressed = channel.suppression.admit(key, self._clock()) if key is not None else 0
            if suppressed is None:
                continue
            record = build_record(
                review,
                decision,
                snapshot,
                endpoint=endpoint,
                now=now,
                seconds=seconds,
                suppressed=suppressed,
            )
            try:
                channel.sink.append(record, durable=not decision.allowed)
            except AuditError as error:
                if key is not None:
                    channel.suppression.restore(key, suppressed)
                self._report(str(error))

    def conditions(self) -> tuple[Condition, ...]:
        """Tell for each sink whether records reach it now."""
        return tuple(channel.sink.condition for channel in self._channels)

    def outstanding(self) -> int:
        """Count the refusals that stand in no record of the first sink yet."""
        return self._channels[0].suppression.outstanding() if self._channels else 0


def _repeats(decision: Decision) -> bool:
    """Tell whether a decision comes again and again: a StatefulSet's retries bring its warnings too.

    The use of an exemption is recorded each time.
    """
    return decision.word != "allowed" and not decision.exemptions


def _key(review: Request, decision: Decision, endpoint: str) -> bytes:
    """Shorten what identifies a refusal: whoever sends requests chooses how long its parts are."""
    parts = (endpoint, *identity(review, decision))
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()
