"""Room on the disks that an image is brought to: known to be enough before podman unpacks anything."""

import os
from dataclasses import dataclass
from pathlib import Path

from webhook.scanner.errors import ProbeError

# Bytes that stay free. A full disk stops more than a scan: databases, logs, logins.
SPARE = 1024**3
_MEBIBYTE = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The file systems that a probe fills for a while.

    Attributes:
        folder: the probe's own, where the image's layers lie as stored.
        storage: podman's, where it unpacks them.
        spare: bytes that must stay free on both.
    """

    folder: Path
    storage: Path
    spare: int = SPARE

    def check(self, *, stored: int, unpacked: int) -> None:
        """Refuse so many bytes more in the folder and in the storage. Raises ProbeError."""
        try:
            together = self.folder.stat().st_dev == self.storage.stat().st_dev
            self._check(self.folder, stored + (unpacked if together else 0), "set TMPDIR to")
            if not together:
                self._check(self.storage, unpacked, "keep podman's images (graphroot) on")
        except OSError as error:
            raise ProbeError(
                f"podman: how much room {error.filename} has cannot be told: {error.strerror}; mend that disk"
            ) from error

    def _check(self, place: Path, needed: int, cure: str) -> None:
        found = os.statvfs(place)
        free = found.f_bavail * found.f_frsize
        if free < needed + self.spare:
            raise ProbeError(
                f"podman: the disk of {place} has {free // _MEBIBYTE} MiB free, and to start the image takes "
                f"{needed // _MEBIBYTE} MiB, with {self.spare // _MEBIBYTE} MiB to spare; free some, or {cure} a "
                "larger disk"
            )
