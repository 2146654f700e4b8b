"""[api-server] The API server's version is one that nbgate is tested with, or newer."""

from collections.abc import Iterator

from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, wrong
from webhook.doctor.site import Site

# admission.k8s.io/v1 and apiextensions.k8s.io/v1 are older (1.16); this is the oldest that the tests run on.
OLDEST = (1, 20)


def judge(version: tuple[int, int]) -> Iterator[Finding]:
    """Judge a (major, minor) version."""
    shown = ".".join(map(str, version))
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield wrong(
            f"Kubernetes {shown} is older than {oldest}, the oldest that nbgate is made for"
        )
    else:
        yield ok(f"Kubernetes {shown}")


def _look(site: Site) -> Iterator[Finding]:
    yield from judge(site.version)


CHECK = Check(
    id="api-server",
    why="An API server that is too old does not know what nbgate installs, or asks it in words of its own.",
    look=_look,
)
