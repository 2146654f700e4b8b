"""Bring an image into podman's store under a name that can be taken away again, unless it is there already."""

from dataclasses import dataclass
from pathlib import Path

from webhook.core.reference import InvalidReference, Reference, parse
from webhook.core.words import cut
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.archivecopy import copy_archive
from webhook.scanner.probes.claim import ImageClaim, names_claimed
from webhook.scanner.probes.layoutview import write_view
from webhook.scanner.probes.probe import Target
from webhook.scanner.probes.warded import Warded

# Seconds. 20 GB, as the largest CUDA images are, over 100 Mbit/s.
PULL_TIME = 1800.0
_ASK_TIME = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """How registries are asked.

    Attributes:
        auth_file: credentials, as `podman login` writes them; None for podman's own choice.
        plain_http: registries that are asked without TLS: `127.0.0.1:5000`.
    """

    auth_file: Path | None = None
    plain_http: frozenset[str] = frozenset()


def bring(target: Target, options: PullOptions, warded: Warded) -> str:
    """Give the id of the image in podman's store, pulled if need be. Raises ProbeError."""
    kind, _, rest = target.image.partition(":")
    match kind:
        case "oci":
            return _from_layout(rest, target.platform, warded)
        case "docker-archive":
            return _from_archive(rest, target.platform, warded)
        case _:
            return _from_registry(target, options, warded)


def _from_registry(target: Target, options: PullOptions, warded: Warded) -> str:
    reference = _pinned(target.image)
    name = f"{reference.repository}@{reference.digest}"
    present = _present(name, target.platform, warded)
    if present is None or name in names_claimed(warded.folder.parent):
        _claim(warded, name)
    if present is not None:
        return present
    arguments = ["--authfile", str(options.auth_file)] if options.auth_file else []
    if reference.domain in options.plain_http:
        arguments.append("--tls-verify=false")
    return _pull(warded, target.platform, *arguments, name)


def _pinned(image: str) -> Reference:
    try:
        reference = parse(image)
    except InvalidReference as error:
        raise ProbeError(f"podman pull: {error}") from error
    if reference.digest is None:
        raise ProbeError(
            f"podman pull: {cut(image, 200)} has no digest, so it may have moved: name one"
        )
    return reference


def _present(name: str, platform: str, warded: Warded) -> str | None:
    found = warded.podman(
        "image", "inspect", "--format", "{{.Id}} {{.Os}}/{{.Architecture}}", name, timeout=_ASK_TIME
    )
    if not found.ok:
        return None
    known, _, built_for = found.output.strip().partition(" ")
    if not f"{platform}/".startswith(f"{built_for}/"):
        raise ProbeError(
            f"podman: {name} is here, but for {cut(built_for, 50)}: remove it with podman rmi, and scan again"
        )
    return known


def _from_layout(rest: str, platform: str, warded: Warded) -> str:
    layout, _, reference = rest.partition(":")
    view, name = warded.folder / "layout", _own_name(warded)
    # Podman 4 names an image of a layout after the folder, newer ones by the name in its index.
    by_folder = f"localhost{view}:latest"
    _check_name(by_folder)
    write_view(Path(layout), reference, view, name)
    _claim(warded, by_folder, name)
    return _pull(warded, platform, f"oci:{view}:{name}")


def _from_archive(rest: str, platform: str, warded: Warded) -> str:
    archive, _, reference = rest.partition(":")
    copy, name = warded.folder / "archive.tar", _own_name(warded)
    copy_archive(Path(archive), reference, copy, name)
    _claim(warded, name)
    known = _pull(warded, platform, f"docker-archive:{copy}")
    copy.unlink()
    return known


def _own_name(warded: Warded) -> str:
    return f"localhost/nbgate-probe:{warded.folder.name.rpartition('-')[2]}"


def _check_name(name: str) -> None:
    try:
        parse(name)
    except InvalidReference as error:
        raise ProbeError(
            f"podman pull: an image of a layout is named after its folder, and {error}; "
            "set TMPDIR to a folder with a plain lower-case path, such as /var/tmp"
        ) from error


def _claim(warded: Warded, *names: str) -> None:
    listing = warded.must(
        "images", "images", "-q", "--no-trunc", "--filter", "dangling=true", timeout=_ASK_TIME
    )
    unnamed = tuple(line.removeprefix("sha256:") for line in listing.split())
    warded.claim.write_image(ImageClaim(names=names, unnamed=unnamed))


def _pull(warded: Warded, platform: str, *arguments: str) -> str:
    pulled = warded.must(
        "pull", "pull", "-q", "--platform", platform, *arguments, timeout=PULL_TIME, long=True
    )
    return pulled.splitlines()[-1]
