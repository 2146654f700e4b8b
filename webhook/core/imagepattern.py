"""Patterns over repositories, for the lists of images in a policy.

    ghcr.io/kubeflow/**          every repository of kubeflow on ghcr.io, at any depth
    registry.example.com/*/nb    `nb` of every team there
    */**                         every image
    docker.io/*                  Docker Hub's own images: one component there is one of `library/`
    ghcr.io/x/y                  one repository, any tag
    ghcr.io/x/y:v1               one tag of it
    ghcr.io/x/y@sha256:…         one image

Whole components are compared, never string prefixes: `docker.io.evil.com` is not `docker.io`, and
`ghcr.io/kubeflow-evil` is not `ghcr.io/kubeflow`. `*` stands for exactly one component, first in
line for any registry; `**` for one or more, at the end only. A pattern always names its registry,
so that none can be read in two ways, and in lower case, as nearly every image does: registries
are compared letter by letter, and one that matches nothing by its case would go unnoticed.
"""

from dataclasses import dataclass

from webhook.core.reference import (
    MAX_PATH,
    InvalidReference,
    Reference,
    canonical_domain,
    canonical_path,
    check_digest,
    check_path,
    check_tag,
    check_text,
    names_registry,
    quoted,
    split,
)

_ANY = "*"
_DEEP = "**"
_WILDCARDS = frozenset({_ANY, _DEEP})


class InvalidPattern(ValueError):
    """A text is no image pattern; the message says what is wrong and the cure, on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePattern:
    """A compiled pattern.

    Attributes:
        text: what was written.
        registry: a canonical domain, or `*` for any.
        components: of the path, each literal or `*`; a final `**` is left to `deep`.
        deep: whether one component or more follow.
        tag: the only tag that matches; None for any.
        digest: the only digest that matches; None for any.
    """

    text: str
    registry: str
    components: tuple[str, ...]
    deep: bool
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        return self.text

    def matches(self, reference: Reference, *, trust_tag: bool = False) -> bool:
        """Tell whether `reference` is one of these images.

        A tag beside a digest is decoration: whoever writes the image can put any tag there. A
        pattern with a tag therefore matches such a reference only if the caller says, by
        `trust_tag`, that the tag is known to name the digest or that the writer's word will do.
        """
        if self.registry not in (_ANY, reference.domain):
            return False
        return self._has_path(reference.path) and self._has_version(reference, trust_tag=trust_tag)

    def _has_path(self, path: str) -> bool:
        parts = path.split("/")
        fixed = len(self.components)
        if len(parts) <= fixed if self.deep else len(parts) != fixed:
            return False
        pairs = zip(self.components, parts, strict=False)
        return all(wanted in (_ANY, part) for wanted, part in pairs)

    def _has_version(self, reference: Reference, *, trust_tag: bool) -> bool:
        if self.digest is not None:
            return self.digest == reference.digest
        if self.tag is None:
            return True
        return self.tag == reference.tag and (reference.digest is None or trust_tag)


def compile_pattern(text: str) -> ImagePattern:
    """Read a pattern. Raises InvalidPattern."""
    if not text:
        raise InvalidPattern("it is empty: write a pattern, such as ghcr.io/kubeflow/**")
    try:
        check_text(text)
        return _compile(text)
    except InvalidReference as fault:
        raise InvalidPattern(str(fault)) from fault


def _compile(text: str) -> ImagePattern:
    if "/" not in text:
        raise InvalidPattern(_lone_fault(text))
    name, tag, digest = split(text)
    first, *components = name.split("/")
    _check_wildcards([first, *components])
    _check_version([first, *components], tag, digest)
    registry = _registry(first, text)
    _check_path(first, components)
    deep = components[-1] == _DEEP
    if deep:
        components.pop()
    else:
        components = canonical_path(registry, "/".join(components)).split("/")
    return ImagePattern(
        text=text,
        registry=registry,
        components=tuple(components),
        deep=deep,
        tag=tag,
        digest=digest,
    )


def _check_wildcards(components: list[str]) -> None:
    if _DEEP in components[:-1]:
        raise InvalidPattern('"**" can stand only at the end: write "*" for one component')
    for component in components:
        if "*" in component and component not in _WILDCARDS:
            raise InvalidPattern(
                'wildcards stand for whole components, "*" for one, "**" at the end for all below: '
                f"replace or write out {quoted(component)}"
            )


def _check_version(components: list[str], tag: str | None, digest: str | None) -> None:
    if tag is None and digest is None:
        return
    if not _WILDCARDS.isdisjoint(components):
        raise InvalidPattern("a tag or digest needs a name without wildcards: leave it out")
    if tag is not None and digest is not None:
        raise InvalidPattern("a digest says all: leave out the tag, or leave out the digest")
    if tag is not None:
        if "*" in tag:
            raise InvalidPattern(f"tags have no wildcards: leave out {quoted(':' + tag)}")
        check_tag(tag)
    if digest is not None:
        check_digest(digest)


def _registry(first: str, text: str) -> str:
    if first == _ANY:
        return _ANY
    if not names_registry(first):
        cure = quoted("docker.io/" + text.lstrip("/"))
        raise InvalidPattern(f"it does not start with a registry: write {cure}")
    if first != first.lower():
        raise InvalidPattern(
            f"registries are lower-case in patterns: write {quoted(first.lower())}"
        )
    return canonical_domain(first)


def _check_path(first: str, components: list[str]) -> None:
    if components == [""]:
        raise InvalidPattern(_lone_fault(first))
    path = "/".join(components)
    if "" in components:
        raise InvalidPattern(f'a component is empty: remove the extra "/" from {quoted(path)}')
    if len(path) > MAX_PATH:
        raise InvalidPattern(f"no repository's name is as long as this: at most {MAX_PATH}")
    for component in components:
        if component not in _WILDCARDS:
            check_path(component)


def _lone_fault(text: str) -> str:
    """Explain a text of one component: a registry alone, or an image without one."""
    if text == _DEEP:
        return '"**" names no registry: write "*/**" for every image'
    host, colon, port = text.partition(":")
    registry, image = quoted(f"{text}/**"), quoted(f"docker.io/library/{text}")
    if not colon or port.isdigit():
        if "." in host or host in (_ANY, "localhost"):
            return f"it names a registry only: write {registry}"
        if colon:
            return f"it names no registry or a registry only: write {image} or {registry}"
    return f"it does not start with a registry: write {image}"
