"""A refusal becomes an Event on the Notebook, where its owner looks.

Kubernetes reports a refused pod as an Event on the StatefulSet, with the API server's words around ours; retries make
its count grow. We watch those Events, and the first of each refusal is said on the Notebook in our words alone.

Both reasons are Warnings, also `ScanPending`, which is no fault of anybody's: Kubeflow's web app shows the newest
Warning of a Notebook that does not run, and no Normal one (jupyter-web-app, status.py, find_error_event). Without ours
it shows the StatefulSet's, with all the words around it.

Whoever may create Events in a namespace can forge one that we take for a refusal. What that gives them is an Event on
a Notebook of that namespace, which they could have created themselves; we take nothing else from it. How many we post
for one namespace is bounded.

What it takes, as the verbs of a ClusterRole, besides those of notices.py:

    events   list, watch
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from webhook.controller.mandate import Mandate, unlimited
from webhook.controller.notices import Notices
from webhook.controller.pace import Pace
from webhook.controller.refusal import FIELDS, Refusal, refusal_in, worth_saying
from webhook.kube import EVENTS, Document, Event, Kube
from webhook.kubeerrors import KubeError, Refused, Unreachable
from webhook.stores.allowance import Allowance
from webhook.stores.listwatch import ListWatch

_MOST = 10_000  # refusals that are remembered or wait; one takes a kB
_SILENCE = 30.0  # seconds without a sign of life of the watch, after which that is told: it tries again every few
_SHARE = 60  # Events that one namespace gets a minute
_OVERALL = 1200  # and all together: what the pace allows


class Heard:
    """What a watch of Events has told, until somebody takes it (webhook.stores.listwatch.Sink)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refusals: OrderedDict[tuple[str, str, str], Refusal] = OrderedDict()

    def replaced(self, documents: Iterator[Document]) -> None:
        """Take a whole list."""
        for document in documents:
            self._take(document)

    def changed(self, event: Event) -> None:
        """Take one change."""
        if event.type != "DELETED":
            self._take(event.object)

    def drain(self) -> list[Refusal]:
        """Give what has come since this was asked last, of each refusal the latest word."""
        with self._lock:
            taken = list(self._refusals.values())
            self._refusals.clear()
        return taken

    def put_back(self, refusals: list[Refusal]) -> None:
        """Take back what could not be dealt with, unless there is a later word."""
        with self._lock:
            for refusal in refusals:
                self._refusals.setdefault(refusal.key, refusal)

    def _take(self, document: Document) -> None:
        refusal = refusal_in(document)
        if refusal is None:
            return
        with self._lock:
            self._refusals[refusal.key] = refusal
            if len(self._refusals) > _MOST:
                self._refusals.popitem(last=False)


class Refusals:
    """The duty that posts them; it watches only while it runs.

    Args:
        kube: the cluster.
        mandate: asked before each write.
        pace: of writes.
        clock: seconds, never going back.
    """

    name = "refusals"
    every = 0.5

    def __init__(
        self,
        kube: Kube,
        *,
        mandate: Mandate | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube, self._clock = kube, clock
        self._notices = Notices(kube, mandate or unlimited(), pace or Pace())
        self._allowance = Allowance(overall=_OVERALL, share=_SHARE)
        self._said: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._heard = Heard()
        self._watch: ListWatch | None = None
        self._since = 0.0

    def run(self, now: float) -> None:
        """Post what has been refused since the last run. Raises KubeError."""
        if self._watch is None:
            self._heard = Heard()
            self._watch = ListWatch(
                self._kube, EVENTS, self._heard, fields=FIELDS, clock=self._clock
            )
            self._watch.start()
            self._since = self._clock()
        self._post(self._heard.drain(), now)
        heard = self._watch.heard_at or self._since
        if self._watch.problem and self._clock() - heard > _SILENCE:
            raise Unreachable(self._watch.problem)

    def halt(self) -> None:
        """End the watch."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def _post(self, refusals: list[Refusal], now: float) -> None:
        failures: list[KubeError] = []
        for number, refusal in enumerate(refusals):
            try:
                self._say(refusal, now)
            except Refused as error:
                failures.append(error)  # this one's, not the others'
            except KubeError:
                # Behind the others: one that fails for itself must not keep them waiting.
                self._heard.put_back([*refusals[number + 1 :], refusal])
                raise
        if failures:
            raise failures[0]

    def _say(self, refusal: Refusal, now: float) -> None:
        """Post a refusal, unless it is over, was said lately, or the namespace has had its share."""
        if not worth_saying(refusal, self._said.get(refusal.key), now):
            return
        if not self._allowance.admit(refusal.namespace, self._clock()):
            return  # it is retried, and heard of again then
        self._notices.post(
            refusal.namespace,
            refusal.name,
            "Warning",
            refusal.reason,
            refusal.message,
            min(refusal.at, now),
        )
        self._said[refusal.key] = now
        self._said.move_to_end(refusal.key)
        if len(self._said) > _MOST:
            self._said.popitem(last=False)
