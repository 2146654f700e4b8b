"""One image: is its tag still what was scanned, and if not, what is the image now?

Asking a registry what a tag names costs one small request. Where that is another digest than before the image is
scanned, and until there is a result the old one stays in force as it was, with its old `resolvedAt`: pods are pinned to
the digest that was scanned, which is right.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from webhook.controller import status as statuses
from webhook.controller.claim import Edit, Held, quietly
from webhook.core.reference import parse
from webhook.core.scan import ScanStatus, Verdict
from webhook.scanner.progress import Checked, Silent
from webhook.scanner.scanning import ScanSettings, scan_image
from webhook.scanner.sources.registry import RegistrySource


class Abandoned(BaseException):
    """Unwinds a scan whose result nobody would take. No Exception: nothing may take it for a fault of the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What has come of it.

    Attributes:
        edit: makes the status of it.
        verdict: of a scan; None where the tag still means what was scanned.
    """

    edit: Edit
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How images are looked at.

    Attributes:
        now: seconds since the epoch.
    """

    settings: ScanSettings
    now: Callable[[], float] = time.time

    def do(self, held: Held, *, scans: bool, check: Callable[[], bool]) -> Found:
        """Look at an image that is ours; only at its tag, unless it is to be scanned or has moved.

        `check` is asked all the time whether a result would be taken. Raises ScanError, Abandoned.
        """
        if not scans:
            asked_at = self.now()
            if self._digest(held.image) == held.document["status"].get("digest"):
                return Found(edit=lambda document: statuses.resolved(document, asked_at))
            quietly(lambda: held.renew(scans=True))
        found = self._scan(held.image, check)
        at = self.now()
        return Found(
            edit=lambda document: statuses.scanned(document, found, at), verdict=found.verdict
        )

    def _digest(self, image: str) -> str:
        with closing(RegistrySource(parse(image), self.settings.registry)) as source:
            return source.digest()

    def _scan(self, image: str, check: Callable[[], bool]) -> ScanStatus:
        # Canonical, so that no image's name is taken for a place on this machine, as `oci:DIR` is.
        image = parse(image).canonical
        progress = _Watched(check)
        return scan_image(
            image, self.settings, alias=None, now=self.now, progress=progress
        ).document.status


class _Watched(Checked):
    """Unwinds the scan at its next word when nobody would take its result.

    Only the first: what a scan says while it removes what it started must not unwind that too.
    """

    def __init__(self, wanted: Callable[[], bool]) -> None:
        super().__init__(Silent(), self._check)
        self._wanted = wanted
        self._unwound = False

    def _check(self) -> None:
        if not self._unwound and not self._wanted():
            self._unwound = True
            raise Abandoned
