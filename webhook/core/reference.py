"""The one parser of image references.

    reference  = [ domain "/" ] path [ ":" tag ] [ "@" digest ]
    domain     = ( label { "." label } | "[" IPv6 "]" ) [ ":" digits ]
    label      = letters and digits of either case, "-" between them
    path       = component { "/" component }       at most 255 characters
    component  = a-z and 0-9; between them one of "." "_" "__" or any number of "-"
    tag        = a letter, digit or "_", then at most 127 letters, digits, "_", "." or "-"
    digest     = "sha256:" 64 lower-case hex digits | "sha512:" 128 of them

What stands before the first "/" is a domain only if it holds "." or ":", is `localhost` or has an
upper-case letter; else the whole name is a path on Docker Hub. A one-component path on Docker Hub
is one of `library/`. Without tag and digest the tag is `latest`. Source: distribution/reference,
reference.go, regexp.go and normalize.go, which container runtimes and the kubelet use.

Narrower than that grammar, each for a reason:

- `registry-1.docker.io` is Docker Hub too: it is where its images are served from.
- A bare `sha256:` with hex digits is refused, as 64 hex digits alone are: containerd's LocalResolve
  takes it for the id of an image that the node already has, whatever that image's name.
- Digests are sha256 or sha512: what a registry is asked for must be checkable.
- A domain has at most 259 characters, what DNS and a port can fill, so that length is bounded.

Every expression here is linear: what may follow a repeated class never begins inside that class,
so backtracking finds no second way; and the length is checked before anything is matched.
"""

import re
from dataclasses import dataclass, field

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"

MAX_DOMAIN = 253 + len(":65535")
MAX_PATH = 255
MAX_TAG = 128
_HEX_DIGITS = {"sha256": 64, "sha512": 128}
MAX_LENGTH = MAX_DOMAIN + MAX_PATH + MAX_TAG + len("sha512:") + 128 + len("/:@")
_MAX_SHOWN = 80

_DOCKER_HUB_NAMES = {DOCKER_HUB, "index.docker.io", "registry-1.docker.io"}
_URL_SCHEMES = {"http:", "https:", "docker:", "oci:"}

_LABEL = r"[0-9A-Za-z]+(?:-+[0-9A-Za-z]+)*"
_COMPONENT = r"[0-9a-z]+(?:(?:\.|__?|-+)[0-9a-z]+)*"

_TEXT = re.compile(r"[!-~]+")
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?")
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}|sha(?:256|384|512):[0-9a-f]+")


class InvalidReference(ValueError):
    """A text is no image reference; the message says what is wrong and the cure, on one line.

    It shows at most 80 characters of the text, with control and non-ASCII characters escaped.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image reference; equal to another when both mean the same, however they are spelled.

    Attributes:
        text: what was written.
        domain: the registry; `docker.io` for all of Docker Hub's names.
        path: the repository in it, with `library/` where Docker Hub implies it.
        tag: `latest` where neither tag nor digest was written; None beside a lone digest.
        digest: what the image is pulled by when there is one; the tag is then decoration.
    """

    text: str = field(compare=False)
    domain: str
    path: str
    tag: str | None
    digest: str | None

    @property
    def repository(self) -> str:
        """The name without tag and digest: `docker.io/library/nginx`."""
        return f"{self.domain}/{self.path}"

    @property
    def tagged(self) -> str | None:
        """What a tag is looked up by, `docker.io/library/nginx:latest`; None without a tag."""
        return None if self.tag is None else f"{self.domain}/{self.path}:{self.tag}"

    @property
    def canonical(self) -> str:
        """Everything written out; parses to an equal reference."""
        name = self.tagged or self.repository
        return name if self.digest is None else f"{name}@{self.digest}"

    def pinned(self, digest: str) -> str:
        """Write the image at `digest` for a pod: the owner's spelling of the name, then the tag.

        An implied `latest` is written out, a digest that was there is replaced.
        Raises InvalidReference when `digest` is no digest.
        """
        check_digest(digest)
        name, _, _ = split(self.text)
        return f"{name}@{digest}" if self.tag is None else f"{name}:{self.tag}@{digest}"


def parse(text: str) -> Reference:
    """Read an image reference as container runtimes do. Raises InvalidReference."""
    check_text(text)
    if _IMAGE_ID.fullmatch(text):
        raise InvalidReference(f"{quoted(text)} is an image id, no name: write NAME@sha256:DIGEST")
    name, tag, digest = split(text)
    if tag is not None:
        check_tag(tag)
    if digest is not None:
        check_digest(digest)
    domain, path = _split_domain(name)
    check_path(path)
    if tag is None and digest is None:
        tag = DEFAULT_TAG
    return Reference(text=text, domain=domain, path=path, tag=tag, digest=digest)


def split(text: str) -> tuple[str, str | None, str | None]:
    """Cut a text into name, tag and digest, unjudged; None where the separator is not there."""
    name, at, digest = text.partition("@")
    last = name.rfind("/") + 1
    colon = name.find(":", last)
    tag = None
    if colon >= 0:
        name, tag = name[:colon], name[colon + 1 :]
    return name, tag, digest if at else None


def names_registry(first: str) -> bool:
    """Tell whether what stands before the first "/" is a domain rather than part of a path."""
    return "." in first or ":" in first or first == "localhost" or first != first.lower()


def canonical_domain(domain: str) -> str:
    """Check a domain and give the one name it is known by. Raises InvalidReference."""
    if domain in _DOCKER_HUB_NAMES:
        return DOCKER_HUB
    if len(domain) > MAX_DOMAIN or not _DOMAIN.fullmatch(domain):
        raise InvalidReference(_domain_fault(domain))
    return domain


def canonical_path(domain: str, path: str) -> str:
    """Add the `library/` that Docker Hub implies for a path of one component."""
    return f"library/{path}" if domain == DOCKER_HUB and "/" not in path else path


def check_text(text: str) -> None:
    """Check length and characters, before anything looks closer. Raises InvalidReference."""
    if len(text) > MAX_LENGTH or not _TEXT.fullmatch(text):
        raise InvalidReference(_text_fault(text))


def check_path(path: str) -> None:
    """Check a repository's path, or one component of it. Raises InvalidReference."""
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        raise InvalidReference(_path_fault(path))


def check_tag(tag: str) -> None:
    """Check a tag. Raises InvalidReference."""
    if not _TAG.fullmatch(tag):
        raise InvalidReference(_tag_fault(tag))


def check_digest(digest: str) -> None:
    """Check a digest: algorithm and exact length. Raises InvalidReference."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidReference(_digest_fault(digest))


def quoted(text: str) -> str:
    """Show a text of any origin: one line of ASCII, at most 80 characters of it."""
    shown = ascii(text[:_MAX_SHOWN])
    if len(shown) <= _MAX_SHOWN + len("''") and len(text) <= _MAX_SHOWN:
        return shown
    return f"{shown[:_MAX_SHOWN]}...{shown[0]}"


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not names_registry(first):
        return DOCKER_HUB, canonical_path(DOCKER_HUB, name)
    domain = canonical_domain(first)
    if not rest:
        raise InvalidReference(
            f"it names a registry only: add the repository, {quoted(first)}/NAME"
        )
    return domain, canonical_path(domain, rest)


def _text_fault(text: str) -> str:
    if not text:
        return "it is empty: name an image, such as registry.example.com/team/notebook:v1"
    if len(text) > MAX_LENGTH:
        return (
            f"it is {len(text)} characters long, at most {MAX_LENGTH} are allowed: {quoted(text)}"
        )
    if any(character.isspace() for character in text):
        return f"it has a blank in it: remove it from {quoted(text)}"
    return f"it has a control or non-ASCII character in it: type it anew, {quoted(text)}"


def _domain_fault(domain: str) -> str:
    if domain.lower() in _URL_SCHEMES:
        return f"an image reference is no URL: leave out {quoted(domain + '//')}"
    if len(domain) > MAX_DOMAIN:
        return f"registry names have at most {MAX_DOMAIN} characters, this one has {len(domain)}"
    if "." not in domain and ":" not in domain:
        return _lower_case_fault(domain)
    return (
        f"{quoted(domain)} is no registry: write HOST or HOST:PORT, "
        'the host in letters and digits with single "." and inner "-"'
    )


def _path_fault(path: str) -> str:
    name = path.removeprefix("library/")
    components = name.split("/")
    if components == [""]:
        return "it has no repository name: write NAME:TAG or REGISTRY/NAME:TAG"
    if "" in components:
        return f'a part of its name is empty: remove the extra "/" from {quoted(name)}'
    if name != name.lower():
        return _lower_case_fault(name)
    if len(path) > MAX_PATH:
        return f"repository names have at most {MAX_PATH} characters, this one has {len(path)}"
    wrong = next(part for part in components if not _PATH.fullmatch(part))
    return (
        f"{quoted(wrong)} cannot be part of a repository name: use a-z and 0-9, "
        'with ".", "_", "__" or "-" only between them'
    )


def _lower_case_fault(name: str) -> str:
    return f"repository names are lower-case: write {quoted(name.lower())}"


def _tag_fault(tag: str) -> str:
    if not tag:
        return 'tag is empty after ":": write one, such as ":v1", or leave out the ":"'
    if len(tag) > MAX_TAG:
        return f"tags have at most {MAX_TAG} characters, this one has {len(tag)}"
    return (
        f'{quoted(tag)} is no tag: use letters, digits, "_", "." and "-", '
        "the last two not at its start"
    )


def _digest_fault(digest: str) -> str:
    if not digest:
        return 'digest is empty after "@": write "sha256:" and its hex digits, or leave out the "@"'
    algorithm, colon, _ = digest.partition(":")
    if not colon:
        return f"{quoted(digest)} is no digest: write sha256: and 64 hex digits"
    length = _HEX_DIGITS.get(algorithm)
    if length is None:
        return f"digest algorithm {quoted(algorithm)} cannot be pulled: use sha256 or sha512"
    return f"a {algorithm} digest has exactly {length} lower-case hex digits: copy it anew"
