"""The folder that says what a probe has made, so that whoever comes after a dead one can remove it.

    /var/tmp/nbgate-probe-<16 hex>/    locked by its warden for as long as that lives; where TMPDIR is set, there
        image.json                     what was pulled, see ImageClaim
        home-1, home-2, ...            the volumes; what else the probe needs lies beside them

Containers carry the folder's path in the label nbgate.dev/probe.
"""

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

LABEL = "nbgate.dev/probe"
NAME = "nbgate-probe-"
_IMAGE = "image.json"
# An id has 64 characters, and machines with ten thousand unnamed images have other troubles.
_IMAGE_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageClaim:
    """What a probe has pulled, or is about to.

    Attributes:
        names: what podman may know it by; each is the probe's alone, as is the image.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A probe's folder, and the descriptor whose lock says that the probe is alive."""

    folder: Path
    descriptor: int

    def write_image(self, image: ImageClaim) -> None:
        """Say what is about to be pulled. Raises OSError."""
        written = self.folder / f".{_IMAGE}"
        written.write_text(json.dumps(asdict(image)))
        written.rename(self.folder / _IMAGE)

    def image(self) -> ImageClaim | None:
        """Give what was pulled; None where nothing was."""
        return _read_image(self.folder)


def make_claim(parent: Path) -> Claim:
    """Make a folder in `parent` and lock it. Raises OSError."""
    # Locked before it has its name: nobody ever sees one of that name that is being made.
    # Hex digits: podman names an image of a layout after its folder, and not every name will do.
    name = secrets.token_hex(8)
    new = parent / f".nbgate-new-{name}"
    new.mkdir(mode=0o700)
    descriptor = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    folder = new.rename(new.with_name(f"{NAME}{name}"))
    return Claim(folder=folder, descriptor=descriptor)


def dead_claims(parent: Path) -> Iterator[Claim]:
    """Take over, one by one, what nobody holds any more; each is unlocked again after its turn."""
    for folder in _folders(parent):
        with suppress(OSError):
            descriptor = os.open(
                folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield Claim(folder=folder, descriptor=descriptor)
            finally:
                os.close(descriptor)


def _folders(parent: Path) -> list[Path]:
    """Give the folders of probes of this user; what others put there under such a name is none of ours."""
    found = []
    for path in parent.glob(f"{NAME}*"):
        with suppress(OSError):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                found.append(path)
    return found


def _read_image(folder: Path) -> ImageClaim | None:
    # Nobody else can write there: the folder is closed to others, and what containers see are folders in it.
    try:
        with (folder / _IMAGE).open("rb") as file:
            found = json.loads(file.read(_IMAGE_LIMIT))
    except (OSError, ValueError):
        return None
    return ImageClaim(names=tuple(found["names"]))
