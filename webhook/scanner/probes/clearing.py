"""Remove what a probe made, or one that died: containers, its image, its folder."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from webhook.core.words import cut
from webhook.scanner.probes.claim import LABEL, NAME, Claim, ImageClaim, dead_claims
from webhook.scanner.probes.running import Finished

# Seconds: removing kills a container and unmounts its layers, an image of 10 GB has a hundred thousand files.
REMOVE_TIME = 60.0
_LIST_TIME = 30.0
_STOPPED = {"created", "exited", "stopped", "configured", "initialized"}

# Runs a program with so many seconds; never raises.
RunProgram = Callable[[Sequence[str], float], Finished]


def clear(claim: Claim, run: RunProgram, *, rootless: bool) -> list[str]:
    """Remove everything of a probe; give what could not be removed, one clause each.

    Its folder goes last and only when nothing else is left, for it says what there is.
    """
    problems = _remove_containers(_containers_of(claim.folder, run), run)
    image = claim.image()
    if image is not None and not problems:
        problems += _remove_image(image, run)
    if not problems:
        problems += _remove_folder(claim.folder, run, rootless=rootless)
    return problems


def sweep(parent: Path, run: RunProgram, *, rootless: bool) -> None:
    """Remove what dead probes left, as far as it can be removed; their next successor tries again."""
    for claim in dead_claims(parent):
        clear(claim, run, rootless=rootless)
    _remove_containers(_orphans(run), run)


def _containers_of(folder: Path, run: RunProgram) -> list[str]:
    found = run(
        ["podman", "ps", "-a", "-q", "--no-trunc", "--filter", f"label={LABEL}={folder}"],
        _LIST_TIME,
    )
    return found.output.split()


def _orphans(run: RunProgram) -> list[str]:
    """Give containers whose probe's folder is gone and that have ended.

    One that runs may be a living probe's that has another view of the file system; its own --timeout ends it. The name
    counts beside the label, for images bring labels of their own.
    """
    ours = ["--filter", f"label={LABEL}", "--filter", f"name=^{NAME}"]
    found = run(["podman", "ps", "-a", *ours, "--format", "json"], _LIST_TIME)
    orphans: list[str] = []
    with suppress(ValueError, KeyError, TypeError):  # nothing that podman would write
        orphans += [
            each["Id"]
            for each in json.loads(found.output or "[]")
            if each["State"] in _STOPPED and not Path(each["Labels"][LABEL]).exists()
        ]
    return orphans


def _remove_containers(containers: list[str], run: RunProgram) -> list[str]:
    if not containers:
        return []
    # --volumes: those that the image declares.
    command = ["podman", "rm", "--force", "--ignore", "--time", "0", "--volumes", *containers]
    return _problems(run(command, REMOVE_TIME), "container")


def _remove_image(image: ImageClaim, run: RunProgram) -> list[str]:
    """Take the names away, and with the last one the image; one that a container of others needs stays theirs."""
    problems = []
    for name in image.names:
        found = run(["podman", "image", "exists", name], _LIST_TIME)
        if not found.ok:
            continue
        # --no-prune: an unnamed image that this one was built on was not ours.
        removed = run(["podman", "rmi", "--ignore", "--no-prune", name], REMOVE_TIME)
        if not removed.ok and "in use" not in removed.errors:
            problems += _problems(removed, f"image {name}")
    return problems


def _remove_folder(folder: Path, run: RunProgram, *, rootless: bool) -> list[str]:
    # Not by Python: shutil.rmtree recurses, and strangers can make folders deeper than that goes. In rootless podman
    # the files are those of users that only its own user namespace may remove.
    before = ["podman", "unshare"] if rootless else []
    return _problems(
        run([*before, "rm", "-rf", "--one-file-system", "--", str(folder)], REMOVE_TIME), "folder"
    )


def _problems(finished: Finished, what: str) -> list[str]:
    if finished.ok:
        return []
    reason = finished.errors.strip() or "it took too long"
    return [f"{what} not removed: {cut(' '.join(reason.split()), 200)}"]
