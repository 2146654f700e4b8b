"""ImageScans for images that admission met and nobody has scanned: made beside the request path, never in it.

ask() for a request ──► a queue ──► one thread ──► an ImageScan, for the controller to scan

Whoever may start notebooks chooses what is asked for, so all of it is bounded, in all and for one namespace: how many
wait here, how many are made a minute, and how many may be there without a result. What is dropped is no loss: the
StatefulSet tries its pod again, and that asks again. What waits is kept while the API server is away.

An ImageScan's name holds 40 bits of a hash: whoever wants to can find an image that comes to the name of another. So an
image whose name is taken by another one is asked for under a longer name; what reads ImageScans goes by their
`spec.image`, and never by names.

The account of the webhook needs, outside of namespaces:

    imagescans.nbgate.dev  create
"""

import random
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from webhook.core.document import API_VERSION
from webhook.core.scan import scan_name
from webhook.kube import IMAGE_SCANS, Document
from webhook.kubeerrors import Conflict, KubeError, Resource, Unreachable
from webhook.stores.allowance import Allowance, Crowded
from webhook.stores.outstanding import REQUESTED_FOR

Result = Literal["asked", "known", "dropped", "failed"]
REQUESTED_BY = "nbgate.dev/requested-by"
QUEUE = 1_000  # a quarter of an hour's worth; an image's name has at most some 500 bytes
A_MINUTE = 60
SHARE = 20  # a namespace's share: a class of students that starts one image each
# ImageScans without a result beyond which none is made: etcd holds them all, and whoever tries names that do not exist
# makes one each. The controller removes them when no pod has used them for long.
WAITING = 5_000
# How many of them one namespace may have asked for: ten minutes of its share, so that one user fills a 25th of that.
OWN_WAITING = 200
# What was asked for comes back by the watch within a second or two; after this it was removed again, or never came.
AGAIN_SECONDS = 600.0
# How long a name that was taken is left alone: the watch tells by then whose it is, and each try costs the namespace.
TAKEN_SECONDS = 10.0
_REMEMBERED = 10_000
_TRIES = 4
_PAUSE = 0.25
_DOUBLINGS = 6  # so that the longest pause is 16 s
# Hex of the hash in a name, and in the name of an image whose first one is taken.
_DIGITS = (10, 20)
# As the API server has it. Anybody else may call a namespace what he likes, at any length.
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Creator(Protocol):
    """What is asked of the cluster: a `Kube`."""

    def create(self, resource: Resource, document: Document) -> Document:
        """Create an object."""


class Known(Protocol):
    """What is known of the ImageScans that there are: `ClusterScans`. Any thread may ask."""

    @property
    def waiting(self) -> int:
        """How many images have one without a result."""

    def asked_for(self, namespace: str) -> int:
        """Count those of them that were asked for a namespace."""

    def image_of(self, name: str) -> str | None:
        """Name the image, canonical, that one is about; None where there is none of that name."""


@dataclass(slots=True)
class _Wish:
    image: str
    namespace: str
    failures: int = 0


class ScanRequests:
    """Asks for scans, in a thread of its own from `start` to `stop`; any thread may call `ask`.

    Args:
        kube: the cluster.
        known: the ImageScans that there are, as far as is known.
        count: told of what became of each wish.
        report: told of each image whose name is taken by another.
        clock: seconds, and never goes back.
        pause: seconds to rest after a first failure.

    Attributes:
        problem: why scans are not asked for now; empty when they are.
    """

    def __init__(
        self,
        kube: Creator,
        known: Known,
        *,
        count: Callable[[Result], object],
        report: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
        pause: float = _PAUSE,
    ) -> None:
        self._kube = kube
        self._known = known
        self._count = count
        self._report = report
        self._clock = clock
        self._pause = pause
        self._allowance = Allowance(overall=A_MINUTE, share=SHARE)
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._queue: deque[_Wish] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._crowded = Crowded()
        self._refused = ""
        self._failed = ""
        self._thread = threading.Thread(target=self._run, name="nbgate-requests", daemon=True)

    @property
    def problem(self) -> str:
        """Say what is wrong with the API server's answers first: nothing is asked for while it is."""
        return self._failed or self._refused or self._crowding()

    def start(self) -> None:
        """Start the thread; it is no reason for the process to live."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after what is under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def ask(self, image: str, namespace: str) -> None:
        """Ask for the scan of a canonical reference, unless that was done a while ago or a bound is reached.

        What no API server would call a namespace is dropped: it does not ask, and nobody else is to fill our memory.
        """
        if not _NAMESPACE.fullmatch(namespace):
            self._count("dropped")
            return
        now = self._clock()
        with self._changed:
            at = self._asked.get(image)
            if at is not None and now - at < AGAIN_SECONDS:
                result: Result | None = "known"
            elif self._full(namespace, now):
                result = "dropped"
            else:
                result = None
                self._remember(image, now)
                self._queue.append(_Wish(image, namespace))
                self._changed.notify()
        if result is not None:
            self._count(result)

    def _full(self, namespace: str, now: float) -> bool:
        """Tell whether a bound keeps a wish out, and note which; what passes with the minute is not worth a word."""
        self._refused = ""
        if len(self._queue) >= QUEUE:
            self._refused = f"scans are not asked for: {QUEUE} wait to be asked for already"
        elif self._known.waiting >= WAITING:
            self._refused = (
                f"scans are not asked for: {WAITING} ImageScans have no result; see why the controller "
                "does not scan, and remove those that nobody needs"
            )
        if self._refused:
            return True
        if self._known.asked_for(namespace) >= OWN_WAITING:
            self._crowded.note(namespace, now)
            return True
        return not self._allowance.admit(namespace, now)

    def _crowding(self) -> str:
        with self._changed:
            crowded = self._crowded.told(self._clock())
        if not crowded:
            return ""
        return (
            f"scans are not asked for in {crowded}: {OWN_WAITING} images named there have no result; see what is "
            "started there"
        )

    def _remember(self, image: str, now: float) -> None:
        self._asked[image] = now
        self._asked.move_to_end(image)
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)

    def _run(self) -> None:
        failures = 0
        while (wish := self._next()) is not None:
            if self._make(wish):
                failures, self._failed = 0, ""
                continue
            pause = self._pause * 2**failures
            failures = min(failures + 1, _DOUBLINGS)
            # Half of it by chance, so that replicas do not come back in step.
            self._rest(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret

    def _next(self) -> _Wish | None:
        """Wait for a wish; None when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopped)
            return None if self._stopped else self._queue.popleft()

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, seconds)

    def _make(self, wish: _Wish) -> bool:
        """Make the ImageScan; tell whether the API server is well."""
        name = self._name(wish.image)
        if name is None:
            self._count("known")
            return True
        try:
            self._kube.create(IMAGE_SCANS, request_document(wish.image, wish.namespace, name))
        except Conflict:
            # Of this image, made by another replica; or of another image. Who asks again will find that out.
            with self._changed:
                self._remember(wish.image, self._clock() - AGAIN_SECONDS + TAKEN_SECONDS)
            self._count("known")
        except KubeError as error:
            self._failed = str(error)
            self._put_back(wish, final=not isinstance(error, Unreachable))
            return False
        else:
            self._made(wish.image, name)
        return True

    def _made(self, image: str, name: str) -> None:
        self._count("asked")
        usual = scan_name(image)
        if name != usual:
            self._report(f"imagescans {usual} is about another image: {image} is scanned as {name}")

    def _put_back(self, wish: _Wish, *, final: bool) -> None:
        """Keep a wish for the next try; where the API server does not want it, only so often."""
        wish.failures += final
        with self._changed:
            if wish.failures < _TRIES:
                # Behind the others: what is refused for itself must not hold them up.
                self._queue.append(wish)
                return
        self._forget(wish.image)
        self._count("failed")

    def _name(self, image: str) -> str | None:
        """Find a name that no other image's ImageScan has.

        None where there is one of this image; or both names are taken, which nobody can bring about in 2^80 tries.
        """
        for digits in _DIGITS:
            name = scan_name(image, digits=digits)
            holder = self._known.image_of(name)
            if holder in {None, image}:
                return None if holder else name
        return None

    def _forget(self, image: str) -> None:
        with self._changed:
            self._asked.pop(image, None)


def request_document(image: str, namespace: str, name: str) -> Document:
    """Write the ImageScan that asks for the scan of a canonical reference, for a namespace."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ImageScan",
        "metadata": {
            "name": name,
            "labels": {REQUESTED_BY: "admission"},
            "annotations": {REQUESTED_FOR: namespace},
        },
        "spec": {"image": image},
    }
