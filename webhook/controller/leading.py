"""What must be done once in a cluster: duties of the replica that holds the Lease.

A duty's thread runs it again and again while this replica leads, and is told to halt when it does not. Whether it leads
is a matter of time, not of news: the mandate ends by itself when the Lease could not be renewed, and a duty in the
middle of a run asks it before each write that must not come from two.

What it takes, as the verbs of a Role in the Lease's namespace; the object itself is deployed, without a holder:

    leases.coordination.k8s.io   get, update
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from webhook.controller.duty import Duty, Halting, Service
from webhook.controller.lease import (
    Candidate,
    Timing,
    may_write,
    read_record,
    saw,
    spec_of_nobodys,
    spec_of_ours,
    wrote,
)
from webhook.controller.mandate import Lost, Mandate
from webhook.kube import LEASES, Kube
from webhook.kubeerrors import Conflict, KubeError, NotFound

__all__ = ["Duty", "Halting", "Leader", "Lost", "Mandate", "Timing"]

_USUAL = Timing()


def _quiet(_: str) -> None:
    pass


class Leader:
    """A candidate for the Lease, and the duties that it has while it leads.

    Args:
        kube: the cluster.
        lease: the name of the Lease.
        namespace: its namespace.
        identity: how people know this replica, such as the pod's name; what stands in the Lease begins with it.
        duties: each is run in a thread of its own.
        mandate: what duties are given to ask; the Leader's own where none is.
        timing: of the Lease.
        report: told in a sentence when this replica begins or ceases to lead, and of what goes wrong, once each time.

    Attributes:
        mandate: what duties ask.
        problem: why the Lease cannot be read or written now; empty when all is well.
    """

    def __init__(
        self,
        kube: Kube,
        lease: str,
        namespace: str,
        identity: str,
        duties: Sequence[Duty],
        *,
        mandate: Mandate | None = None,
        timing: Timing = _USUAL,
        report: Callable[[str], object] = _quiet,
    ) -> None:
        self.mandate = mandate or Mandate()
        self.problem = ""
        self._kube, self._lease, self._namespace = kube, lease, namespace
        self._duties, self._report = duties, report
        # Not the pod's name alone: a container that was restarted is not who wrote the Lease, and one that was not
        # quite dead would lead beside it.
        own = f"{identity}_{secrets.token_hex(4)}"
        self._candidate = Candidate(identity=own, timing=timing)
        self._led = False
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def leading(self) -> bool:
        """Whether this replica leads now."""
        return self.mandate.holds

    def start(self) -> None:
        """Begin to look at the Lease; the threads are no reason for the process to live."""
        self._begin(self._stand, "nbgate-lease")
        for duty in self._duties:
            service = Service(duty, self.mandate, self._stopping, self._report)
            self._begin(service.run, f"nbgate-{duty.name}")

    def stop(self, timeout: float = 5.0) -> None:
        """End the duties and give the Lease up, so that the next leads within seconds.

        A duty that has not ended after `timeout` seconds may still write: then the Lease is left to run out by itself.
        """
        # In this order, so that what was asked for is not told of as a loss.
        self._stopping.set()
        self.mandate.end()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            self._release()

    def _begin(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _stand(self) -> None:
        """Stand for leader until told to stop."""
        while True:
            try:
                self._try()
                self.problem = ""
            except KubeError as error:
                self._complain(str(error))
            except Exception as error:  # noqa: BLE001 - whatever stands there, the next look is another chance
                self._complain(f"the Lease {self._lease}: {type(error).__name__}: {error}")
            self._tell()
            if self._stopping.wait(self._candidate.timing.retry):
                return

    def _try(self) -> None:
        """Look at the Lease once, and write it where that is ours to do."""
        document = self._get()
        candidate = saw(self._candidate, read_record(document), self.mandate.now())
        self._hold(candidate)
        if not may_write(candidate, self.mandate.now()) or self._stopping.is_set():
            return
        sent = self.mandate.now()
        try:
            stored = self._put(document, spec_of_ours(candidate, time.time()))
        except Conflict:
            return  # somebody was faster; what they wrote is seen next time
        now = self.mandate.now()
        self._hold(wrote(candidate, read_record(stored), sent=sent, now=now))

    def _hold(self, candidate: Candidate) -> None:
        self._candidate = candidate
        self.mandate.extend(candidate.until)

    def _get(self) -> dict[str, Any]:
        try:
            return self._kube.get(LEASES, self._lease, self._namespace, seconds=self._patience)
        except NotFound as error:
            raise NotFound(
                f"{error}; without this Lease nobody leads: apply nbgate's manifests again, which hold it"
            ) from error

    def _put(self, document: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        changed = {**document, "spec": spec}
        return self._kube.replace(LEASES, changed, self._namespace, seconds=self._patience)

    @property
    def _patience(self) -> float:
        """Seconds for one answer: an API server that hangs leaves time for one that does not."""
        return self._candidate.timing.deadline / 2

    def _release(self) -> None:
        """Empty the Lease if it is ours; where that fails, it runs out."""
        record = self._candidate.record
        if record is None or record.holder != self._candidate.identity:
            return
        try:
            document = self._get()
            if read_record(document).holder == self._candidate.identity:
                self._put(document, spec_of_nobodys(self._candidate, time.time()))
        except KubeError as error:
            self._complain(str(error))
        self._candidate = replace(self._candidate, record=None)

    def _tell(self) -> None:
        leading = self.leading
        if leading != self._led and not self._stopping.is_set():
            self._led = leading
            self._report(f"{self._candidate.identity} {'leads' if leading else 'leads no more'}")

    def _complain(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._report(problem)
