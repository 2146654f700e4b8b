"""Images that one worker scans and no other: claims on the objects themselves, by optimistic concurrency.

A claim is a write of the status that carries the resourceVersion which was read, so of two who claim at once one meets
a conflict. It names a holder that no other claim ever has. Whoever holds it writes the result only over a document that
still names him; that, and not the time, keeps two results apart. The time is for those who die: a claim that has not
changed for as long as claims last is nobody's.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from webhook.controller import status as statuses
from webhook.controller.fault import Backoff
from webhook.controller.status import Status, holder_of, image_of
from webhook.kube import IMAGE_SCANS, Document, Kube
from webhook.kubeerrors import Conflict, KubeError, NotFound

# Each conflict means that somebody else has written; of that many, one of ours is through.
_TRIES = 5
_LONGEST_PAUSE = 3600.0  # seconds
_NAME_LIMIT = 230  # characters of the replica's name; a holder has at most 253
Edit = Callable[[Document], Status]


class Gone(Exception):
    """The claim is not ours any more: somebody took it, the object was deleted, or its spec names another image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claiming:
    """How this replica claims.

    Attributes:
        identity: what people know it by; each claim's holder begins with it.
        length: seconds that a claim lasts which is not renewed.
        now: seconds since the epoch.
    """

    kube: Kube
    identity: str
    length: float
    now: Callable[[], float]

    def read(self, name: str) -> Document:
        """Read an ImageScan as it is now. Raises KubeError."""
        return self.kube.get(IMAGE_SCANS, name, seconds=self.patience)

    def claim(self, document: Document, *, scans: bool) -> "Held":
        """Claim an image by what was just read. Raises Conflict where somebody else was quicker, KubeError."""
        holder = f"{self.identity[:_NAME_LIMIT]}_{secrets.token_hex(4)}"
        now = self.now()
        # For the case that this image kills us: the first time it is taken again when the claim is over, then later.
        pause = Backoff(first=self.length, longest=_LONGEST_PAUSE).pause(
            statuses.attempts_of(document) + 1
        )
        status = statuses.claimed(
            document, holder, now + self.length, retry_at=now + pause, scans=scans
        )
        return Held(self, self.write(document, status), holder, scans=scans)

    def write(self, document: Document, status: Status) -> Document:
        """Write a status over the document that it was made from. Raises Conflict, KubeError."""
        changed = {**document, "status": status}
        return self.kube.replace(IMAGE_SCANS, changed, part="status", seconds=self.patience)

    @property
    def patience(self) -> float:
        """Seconds for one answer: an API server that hangs leaves time for one that does not."""
        return self.length / 3


class Held:
    """An image that is ours. Threads may share it.

    Attributes:
        name: of the ImageScan.
        image: what is scanned, canonical.
        gone: it is not ours any more, or was given back.
    """

    def __init__(self, claiming: Claiming, document: Document, holder: str, *, scans: bool) -> None:
        self.name = str(document["metadata"]["name"])
        self.image = image_of(document) or ""
        self.gone = False
        self._claiming, self._document = claiming, document
        self._holder, self._scans = holder, scans
        self._lock = threading.Lock()

    @property
    def document(self) -> Document:
        """The object as it was last seen."""
        return self._document

    def renew(self, *, scans: bool = False) -> None:
        """Hold it longer; `scans` from now on, where only its tag was looked at. Raises Gone, KubeError."""
        with self._lock:
            self._scans = self._scans or scans
            self._put(self._renewed)

    def end(self, edit: Edit) -> Document:
        """Write what has come of it, and give the document as it is then. Raises Gone, KubeError."""
        with self._lock:
            stored = self._put(edit)
            self.gone = True
            return stored

    def release(self) -> Document:
        """Give it back as if nothing had been begun. Raises Gone, KubeError."""
        return self.end(statuses.released)

    def _renewed(self, document: Document) -> Status:
        until = self._claiming.now() + self._claiming.length
        return statuses.renewed(document, self._holder, until, scans=self._scans)

    def _put(self, edit: Edit) -> Document:
        for _ in range(_TRIES):
            if self.gone:
                break
            try:
                return self._write(edit)
            except NotFound:
                self.gone = True
            except Conflict:
                self._look()
        if self.gone:
            raise Gone
        raise Conflict(f"cannot write imagescans {self.name}: others write it all the time")

    def _write(self, edit: Edit) -> Document:
        moved = image_of(self._document) != self.image
        status = statuses.released(self._document) if moved else edit(self._document)
        self._document = self._claiming.write(self._document, status)
        if moved:
            self.gone = True
            raise Gone
        return self._document

    def _look(self) -> None:
        """See who wrote."""
        try:
            self._document = self._claiming.read(self.name)
        except NotFound:
            self.gone = True
            return
        self.gone = holder_of(self._document) != self._holder


def quietly(act: Callable[[], object]) -> str:
    """Do something with a claim that may be gone; give what went wrong otherwise."""
    try:
        act()
    except Gone:
        pass
    except KubeError as error:
        return str(error)
    return ""
