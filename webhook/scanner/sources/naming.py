"""What a person types for an image: a reference, `oci:DIR[:REF]` or `docker-archive:FILE[:REF]`.

The spelling is that of podman and skopeo (containers-transports(5)), so that what works there works here. The first
colon after the transport ends the path; a path with a colon cannot be written, there as here. Behind it stands a name,
or `@` and a digest for a layout (as index.json has it), `@` and a number for an archive (as manifest.json counts).
"""

from dataclasses import dataclass
from pathlib import Path

from webhook.core.reference import InvalidReference, Reference, check_digest, parse, quoted

_PATH_LIMIT = 4096  # Linux, PATH_MAX
_NAME_LIMIT = 1024  # characters of REF: a full reference has at most 650 or so


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutName:
    """`oci:DIR[:REF]`: an OCI layout, and which image of it; None for the only one."""

    text: str
    folder: Path
    reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveName:
    """`docker-archive:FILE[:REF]`: what docker save wrote, and which image of it; None for the only one."""

    text: str
    file: Path
    reference: str | None


ImageName = Reference | LayoutName | ArchiveName

_SCHEMES = {"docker", "http", "https", "oci"}
_INSTEAD = {
    "oci-archive": "unpack it with tar -xf and name the folder, oci:DIR",
    "dir": "copy it with skopeo, skopeo copy dir:DIR oci:OTHER, and name oci:OTHER",
    "docker-daemon": "save it with docker save -o FILE, and name docker-archive:FILE",
    "containers-storage": "save it with podman save -o FILE, and name docker-archive:FILE",
    "ostree": "copy it with skopeo to oci:DIR, and name that",
    "sif": "name the image that it was built from",
}


def parse_name(text: str) -> ImageName:
    """Read what a person types for an image. Raises InvalidReference, whose message has the cure."""
    transport, colon, rest = text.partition(":")
    if not colon:
        return _reference(text)
    if rest.startswith("//") and transport in _SCHEMES:
        raise InvalidReference(f"an image reference is no URL: leave out '{transport}://'")
    if transport == "oci":
        folder, reference = _split(rest, "oci:DIR", "the folder of a layout")
        return LayoutName(text=text, folder=folder, reference=_layout_entry(reference))
    if transport == "docker-archive":
        file, reference = _split(rest, "docker-archive:FILE", "a file that docker save wrote")
        return ArchiveName(text=text, file=file, reference=_archive_entry(reference))
    if transport in _INSTEAD:
        raise InvalidReference(f"images of {transport}: cannot be read: {_INSTEAD[transport]}")
    return _reference(text)


def _reference(text: str) -> Reference:
    if text.startswith(("/", "./", "../", "~")):
        raise InvalidReference(
            f"{quoted(text)} is a path: write oci:DIR for a layout, docker-archive:FILE for a file"
        )
    return parse(text)


def _split(rest: str, usage: str, what: str) -> tuple[Path, str | None]:
    path, colon, reference = rest.partition(":")
    if not path:
        raise InvalidReference(f"it names no path: write {usage}, {what}")
    if len(path) > _PATH_LIMIT or not path.isprintable():
        raise InvalidReference(
            f"the path has control characters or more than {_PATH_LIMIT} characters: "
            f"rename it, {quoted(path)}"
        )
    if colon and not reference:
        raise InvalidReference(f'it names no image after the last ":": write {usage}:NAME')
    return Path(path), reference or None


def _layout_entry(reference: str | None) -> str | None:
    if reference is None:
        return None
    if reference.startswith("@"):
        check_digest(reference[1:])
    # Any word may stand in a layout: it is compared, never parsed.
    if len(reference) > _NAME_LIMIT or not reference.isprintable():
        raise InvalidReference(
            f"names in a layout are printable, with at most {_NAME_LIMIT} characters: "
            f"check {quoted(reference)}"
        )
    return reference


def _archive_entry(reference: str | None) -> str | None:
    if reference is None:
        return None
    if not reference.startswith("@"):
        parse(reference)
    elif not (reference[1:].isascii() and reference[1:].isdecimal() and len(reference) <= 5):
        raise InvalidReference(
            f"{quoted(reference)} names no image: write docker-archive:FILE:NAME:TAG, or @0 "
            "for the first in the file"
        )
    return reference
