"""One worker, one image, once: claim it, look at it, write what was found.

What it takes, together with the watch that fills the backlog, as the verbs of a ClusterRole:

    imagescans.nbgate.dev           get, list, watch
    imagescans.nbgate.dev/status    update

What it takes to start images stands in webhook/scanner/probes/cluster.py. From when on a result is stale the policy
says, for which there are `list` and `watch` on notebookpolicies.nbgate.dev; without them it is a week.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from webhook.controller import status as statuses
from webhook.controller.backlog import Backlog
from webhook.controller.claim import Claiming, Edit, Gone, Held
from webhook.controller.fault import Fault, fault_of
from webhook.controller.job import Abandoned, Found, Job
from webhook.controller.keeper import Keeper
from webhook.controller.schedule import due, wants_scan
from webhook.core.scan import Verdict
from webhook.kube import Document
from webhook.kubeerrors import Conflict, KubeError, NotFound, Refused
from webhook.scanner.errors import ScanError

_log = structlog.get_logger("nbgate.controller")

_BEATEN = 0.5  # seconds until the claim that beat ours is known here
_TROUBLE = 5.0  # seconds before an image is tried again whose object could not be read or written
_REFUSED = 3600.0  # seconds for one that the API server does not let us write: somebody must change something
# Seconds for which a result waits for an API server that is away: nobody else can claim the image meanwhile either.
_SAVE_SECONDS = 600.0
_SAVE_PAUSE = 2.0


class Recorder(Protocol):
    """Counts what workers do."""

    def scanned(self, verdict: Verdict | None, seconds: float) -> None:
        """Count a scan; None for one that failed."""
        ...

    def resolved(self) -> None:
        """Count a tag that still means what was scanned."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What all workers of a replica share.

    Attributes:
        report: told of what goes wrong with the API server.
    """

    backlog: Backlog
    claiming: Claiming
    keeper: Keeper
    job: Job
    recorder: Recorder
    report: Callable[[str], object]

    def turn(self, name: str) -> float:
        """Do what is due with an image; give the seconds for which it is to be left alone here."""
        try:
            self._turn(name)
        except NotFound:
            self.backlog.forget(name)
        except Conflict:
            return _BEATEN
        except Refused as error:
            self.report(str(error))
            return _REFUSED
        except KubeError as error:
            self.report(str(error))
            return _TROUBLE
        return 0.0

    def _turn(self, name: str) -> None:
        document = self.claiming.read(name)
        record, now = self.backlog.update(document), self.claiming.now()
        if due(record, self.backlog.terms).at > now:
            return
        if record.fault:
            self._tell(document, record.fault)
            return
        if record.attempts:
            _log.info("tries again", image=record.image, attempts=record.attempts)
        scans = wants_scan(record, self.backlog.terms, now)
        held = self.claiming.claim(document, scans=scans)
        self.keeper.keep(held)
        try:
            self._look(held, record.registry, scans=scans)
        finally:
            self.keeper.drop(held)

    def _tell(self, document: Document, fault: str) -> None:
        """Say in an object itself that its spec cannot be read."""
        _log.warning("cannot be read", scan=document["metadata"]["name"], problem=fault)
        status = statuses.unreadable(document, fault, self.claiming.now())
        self.backlog.update(self.claiming.write(document, status))

    def _look(self, held: Held, registry: str, *, scans: bool) -> None:
        began = time.monotonic()
        try:
            found = self.job.do(held, scans=scans, check=lambda: self._wanted(held))
        except Abandoned:
            self._save(held, statuses.released)
        except Exception as error:  # noqa: BLE001 - whatever an image does to us is told in its own status
            self._failed(held, registry, error, time.monotonic() - began)
        else:
            self._found(held, registry, found, time.monotonic() - began)

    def _wanted(self, held: Held) -> bool:
        return not (held.gone or self.keeper.stopping.is_set())

    def _found(self, held: Held, registry: str, found: Found, seconds: float) -> None:
        self.backlog.answered(registry)
        if found.verdict is None:
            _log.debug("resolved", image=held.image)
            self.recorder.resolved()
        else:
            _log.info("scanned", image=held.image, verdict=found.verdict, seconds=round(seconds, 1))
            self.recorder.scanned(found.verdict, seconds)
        self._save(held, found.edit)

    def _failed(self, held: Held, registry: str, error: Exception, seconds: float) -> None:
        fault = fault_of(error)
        if isinstance(error, ScanError):
            self._judge(registry, fault)
        now = self.claiming.now()
        pause = fault.pause(held.name, statuses.attempts_of(held.document))
        _log.warning(
            "could not be scanned",
            image=held.image,
            reason=fault.reason,
            problem=fault.message,
            again_in=round(pause),
        )
        self.recorder.scanned(None, seconds)
        self._save(held, lambda document: statuses.failed(document, fault, now + pause, now))

    def _judge(self, registry: str, fault: Fault) -> None:
        if fault.silent:
            pause = self.backlog.failed(registry, fault)
            _log.warning("registry is left alone", registry=registry, seconds=round(pause))
        else:
            self.backlog.answered(registry)

    def _save(self, held: Held, edit: Edit) -> None:
        """Write what has come of it, however long the API server is away; drop it where the image is not ours."""
        deadline = time.monotonic() + _SAVE_SECONDS
        while True:
            try:
                self.backlog.update(held.end(edit))
            except Gone:
                _log.info("dropped, for the image is not ours any more", image=held.image)
            except Refused as error:
                self.report(str(error))
            except KubeError as error:
                self.report(str(error))
                if time.monotonic() < deadline and not self.keeper.stopping.wait(_SAVE_PAUSE):
                    continue
            return
