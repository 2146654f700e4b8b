"""Bring an image into podman's store, under names that can be taken away again."""

import shutil

from webhook.core.reference import InvalidReference, parse
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.claim import ImageClaim
from webhook.scanner.probes.freshlayout import write_layout
from webhook.scanner.probes.probe import Target
from webhook.scanner.probes.room import Room
from webhook.scanner.probes.warded import Warded
from webhook.scanner.progress import Progress

# Seconds. From one place on this machine to another: the largest images, of 60 GB unpacked, at 33 MB/s.
PULL_TIME = 1800.0


def bring(target: Target, warded: Warded, room: Room, progress: Progress) -> str:
    """Fetch the image, and give its id in podman's store; the image is this probe's alone.

    Raises ScanError: the source's own, or ProbeError.
    """
    layout = warded.folder / "image"
    name = f"localhost/nbgate-probe:{warded.folder.name.rpartition('-')[2]}"
    # Podman 4 names an image of a layout after the folder, newer ones by the name in its index.
    by_folder = f"localhost{layout}:latest"
    _check_name(by_folder)
    progress.stage("fetching")
    write_layout(target.source, target.built, layout, name, room, progress)
    progress.stage("pulling")
    try:
        warded.claim.write_image(ImageClaim(names=(by_folder, name)))
        known = _pull(f"oci:{layout}:{name}", target.platform, warded)
        # Its bytes are in podman's store now, and a container may want the room.
        shutil.rmtree(layout)
    except OSError as error:
        raise ProbeError(
            f"podman: {warded.folder} cannot be written: {error}; check the disk, or set TMPDIR"
        ) from error
    return known


def _check_name(name: str) -> None:
    try:
        parse(name)
    except InvalidReference as error:
        raise ProbeError(
            f"podman pull: an image of a layout is named after its folder, and {error}; "
            "set TMPDIR to a folder with a plain lower-case path, such as /var/tmp"
        ) from error


def _pull(layout: str, platform: str, warded: Warded) -> str:
    pulled = warded.must(
        "pull", "pull", "-q", "--platform", platform, layout, timeout=PULL_TIME, long=True
    )
    return pulled.splitlines()[-1]
