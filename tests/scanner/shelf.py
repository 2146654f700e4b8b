"""Images in a real registry, scanned as `nbgate scan` would."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tests.images.building import push
from tests.scanner.registry import RunningRegistry
from webhook.core.scan import Check, ScanStatus
from webhook.scanner.probes.probe import Probe
from webhook.scanner.progress import Silent
from webhook.scanner.scanning import Scanned, ScanSettings, scan_image
from webhook.scanner.sources.registry import RegistryOptions


class Shelf:
    """A registry to which an image is pushed when a test first asks for it."""

    def __init__(self, registry: RunningRegistry, layouts: Mapping[str, Path]) -> None:
        self.registry = registry
        self.layouts = layouts
        self._pushed: dict[str, str] = {}

    def reference(self, name: str) -> str:
        """Push an image of the tests, once, and return what a pod would call it."""
        reference = f"{self.registry.host}/{name}:v1"
        if name not in self._pushed:
            self._pushed[name] = push(self.layouts[name], reference)
        return reference

    def digest(self, name: str) -> str:
        """Return the digest of what was pushed."""
        self.reference(name)
        return self._pushed[name]

    def scan(self, name: str, probe: Probe | None = None, *, timeout: float = 20) -> Scanned:
        """Scan an image of the tests by its tag, for the platform of this machine alone where it is started."""
        return scan(
            self.reference(name),
            ScanSettings(
                # One for a cluster is not at this machine's loopback address.
                registry=RegistryOptions(plain_http=frozenset({self.registry.host})),
                probe=probe,
                start_timeout=timeout,
                platforms=(probe.platform(),) if probe else (),
            ),
        )


def scan(
    image: str, settings: ScanSettings, *, alias: str | None = None, at: float | None = None
) -> Scanned:
    """Scan an image, now or as if at that time, watched by nobody."""
    now = time.time if at is None else lambda: at
    return scan_image(image, settings, alias=alias, now=now, progress=Silent())


def failures(status: ScanStatus) -> dict[str, str]:
    """Return the messages of the checks that fail, by requirement."""
    return {c.requirement: c.message for c in status.checks if c.result == "Fail"}


def unknown(status: ScanStatus) -> set[str]:
    """Return the requirements that were not decided."""
    return {c.requirement for c in status.checks if c.result == "Unknown"}


def check(status: ScanStatus, requirement: str) -> Check:
    """Return the check of one requirement."""
    return next(c for c in status.checks if c.requirement == requirement)
