"""[modes] Which namespaces are softer than the policy: the label nbgate.dev/mode."""

from collections.abc import Iterator, Sequence

from webhook.core.actions import MODE_LABEL, MODES
from webhook.core.words import cut
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning
from webhook.doctor.place import Place
from webhook.doctor.reading import name_of, text
from webhook.doctor.site import Site
from webhook.kube import NAMESPACES, Document

_SHOWN = 5


def judge(namespaces: Sequence[Document], place: Place) -> Iterator[Finding]:
    """Judge all namespaces of the cluster by their label."""
    by_mode: dict[str, list[str]] = {}
    for namespace in namespaces:
        mode = text(namespace, "metadata", "labels", MODE_LABEL)
        if mode and mode != "deny":
            by_mode.setdefault(mode, []).append(name_of(namespace))
    if not by_mode:
        yield ok("no namespace is softer than the policy")
    for mode, names in sorted(by_mode.items()):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        listed = cut(", ".join(names[:_SHOWN]), 300) + more
        cure = f"{place.kubectl} label namespace {names[0]} {MODE_LABEL}-"
        if mode in MODES:
            yield warning(f"nothing is refused in mode {mode}: {listed}", MODE_LABEL, cure)
        else:
            what = f"{cut(mode, 63)} is no mode, so the policy's own actions hold: {listed}"
            yield warning(what, MODE_LABEL, cure)


def _look(site: Site) -> Iterator[Finding]:
    yield from judge(site.all(NAMESPACES), site.place)


CHECK = Check(
    id="modes",
    why="In mode warn or audit nothing is refused: right for a trial, and easily forgotten.",
    look=_look,
)
