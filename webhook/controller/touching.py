"""When an image turns out to work, the notebooks that were refused for it start within seconds.

A StatefulSet whose pod was refused is tried again after ever longer pauses, up to some 17 minutes. Any change of the
object makes its controller try at once (stateful_set.go: an update is queued without a pause), so we set an annotation
that nobody reads. Kubeflow's notebook-controller takes it away again when it reconciles, for it puts back the
annotations that it wrote; that is one more change and does no harm. So nothing rests on the annotation's being there.

It is set by way of the subresource `status`, whose writes leave the spec alone whatever they carry
(kubernetes/kubernetes, registry/apps/statefulset, strategy.go, PrepareForUpdate) and are a change like any other. So
the account needs no right to change what a StatefulSet runs, which would be one to run anything as anybody.

What there is to do is found anew each time from what is: the results, and the StatefulSets that wait. A verdict brings
the next look forward; a leader that died between a verdict and a touch has lost nothing.

What it takes, as the verbs of a ClusterRole, besides those of notices.py:

    statefulsets.apps          list
    statefulsets.apps/status   patch
    pods                       list
"""

import time
from collections.abc import Callable
from math import inf

from webhook.controller.listing import listed
from webhook.controller.mandate import Mandate, unlimited
from webhook.controller.notices import Notices
from webhook.controller.pace import Pace
from webhook.controller.verdicts import Verdicts
from webhook.controller.waiting import Touched, Waiting, due, needs_none, touched_again, waiting
from webhook.core.document import format_time
from webhook.core.scan import Scan
from webhook.core.words import cut
from webhook.kube import PODS, STATEFUL_SETS, Kube
from webhook.kubeerrors import NotFound, Refused

ANNOTATION = "nbgate.dev/retry"
# Seconds from one look at all StatefulSets to the next: with news, where something was touched, and without any of it.
_SOONEST = 2.0
_LATEST = 60.0
_AFTER_FAILURE = 15.0
_MOST = 500  # touches of one look: some 50 seconds at the usual pace; the next look goes on
_IMAGE_LIMIT = 160  # characters, as in a denial


class Touching:
    """The duty that touches StatefulSets.

    Args:
        kube: the cluster.
        verdicts: what is known of images.
        mandate: asked before each write.
        pace: of writes.
        clock: seconds, never going back.
        policy_changed_at: when the policy last became another, in seconds since the epoch; -inf for never.
    """

    name = "touching"
    every = 0.5  # a look at whether there is news; what it costs otherwise is a comparison

    def __init__(
        self,
        kube: Kube,
        verdicts: Verdicts,
        *,
        mandate: Mandate | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        policy_changed_at: Callable[[], float] = lambda: -inf,
    ) -> None:
        self._kube, self._verdicts = kube, verdicts
        self._mandate = mandate or unlimited()
        self._pace = pace or Pace()
        self._notices = Notices(kube, self._mandate, self._pace)
        self._clock = clock
        self._policy_changed_at = policy_changed_at
        self._policy_seen = -inf
        self._touched: dict[tuple[str, str], Touched] = {}
        self._looked, self._next = -inf, -inf

    def run(self, now: float) -> None:
        """Touch what is due, if it is time to look. Raises KubeError."""
        at = self._clock()
        if self._news():
            self._next = min(self._next, self._looked + _SOONEST)
        if at < self._next:
            return
        self._looked, self._next = at, at + _AFTER_FAILURE
        self._next = at + self._look(now)

    def _news(self) -> bool:
        """Tell whether a result has come, or another policy, since this was asked last."""
        before, self._policy_seen = self._policy_seen, self._policy_changed_at()
        return self._verdicts.news() or self._policy_seen != before

    def halt(self) -> None:
        """Forget what was touched: another leader goes on, and if we lead again, everything is looked at anew."""
        self._touched, self._next = {}, -inf

    def _look(self, now: float) -> float:
        """Look at all StatefulSets and touch what is due; give the seconds until the next look."""
        found = listed(self._kube, STATEFUL_SETS, waiting)
        known = ((one, self._verdicts.find(one.reference)) for one in found)
        candidates = [(one, scan) for one, scan in known if scan is not None]
        # What waits no more is forgotten.
        keys = {one.key for one in found}
        self._touched = {key: held for key, held in self._touched.items() if key in keys}
        failures: list[Refused] = []
        ready = [one for one in candidates if self._due(*one, now) <= now]
        # First all touches: what is said can wait, and what goes wrong with it keeps no notebook waiting.
        for one, scan in self._serve(ready, now, failures):
            self._tell(one, scan, now)
        if failures:
            raise failures[0]
        soonest = min((self._due(*one, now) for one in candidates), default=inf)
        return min(max(soonest - now, _SOONEST), _LATEST)

    def _due(self, found: Waiting, scan: Scan, now: float) -> float:
        return due(scan, self._touched.get(found.key), now, self._policy_seen)

    def _serve(
        self, candidates: list[tuple[Waiting, Scan]], now: float, failures: list[Refused]
    ) -> list[tuple[Waiting, Scan]]:
        """Touch what is due, what was touched least often first; give what was touched for the first time.

        What the API server does not take is added to `failures`.
        """
        candidates.sort(key=lambda one: (self._times(one[0]), not one[0].sure))
        started: list[tuple[Waiting, Scan]] = []
        for found, scan in candidates[:_MOST]:
            try:
                if self._start(found, scan, now):
                    started.append((found, scan))
            except NotFound:
                continue  # deleted meanwhile
            except Refused as error:
                failures.append(error)  # this one's trouble, not the others'
        return started

    def _times(self, found: Waiting) -> int:
        touched = self._touched.get(found.key)
        return touched.times if touched else 0

    def _start(self, found: Waiting, scan: Scan, now: float) -> bool:
        """Touch a StatefulSet, unless it has a pod after all; tell whether that is the first time for this result."""
        self._pace.wait()
        if not found.sure and self._has_pod(found):
            self._touched[found.key] = needs_none(scan, now)
            return False
        after = touched_again(scan, self._touched.get(found.key), now)
        self._touched[found.key] = after
        self._touch(found, scan, now)
        return after.times == 1

    def _touch(self, found: Waiting, scan: Scan, now: float) -> None:
        self._mandate.insist()
        value = f"{scan.digest} {format_time(now)}"
        patch = {"metadata": {"annotations": {ANNOTATION: value}}}
        self._kube.patch(STATEFUL_SETS, found.name, patch, found.namespace, part="status")

    def _tell(self, found: Waiting, scan: Scan, now: float) -> None:
        if scan.verdict == "Conforms":
            image = cut(found.reference.text, _IMAGE_LIMIT)
            said = f"the image {image} works as a notebook: starting"
            self._notices.post(found.namespace, found.name, "Normal", "ImageConforms", said, now)

    def _has_pod(self, found: Waiting) -> bool:
        """Ask for the pod by its name, which is the StatefulSet's with an ordinal."""
        fields = f"metadata.name={found.name}-0"
        pages = self._kube.pages(PODS, found.namespace, fields=fields, size=1)
        return any(page.items for page in pages)
