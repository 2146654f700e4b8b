"""[profiles] There are profile namespaces with the label that nbgate goes by, and Notebooks nowhere else."""

from collections.abc import Iterator, Sequence

from webhook.core.words import cut
from webhook.doctor.check import Check
from webhook.doctor.expected import PROFILE, PROFILE_LABEL
from webhook.doctor.finding import Finding, ok, warning, wrong
from webhook.doctor.place import Place
from webhook.doctor.reading import name_of, objects, text
from webhook.doctor.site import Site
from webhook.kube import NAMESPACES, Document

SELECTOR = f"{PROFILE_LABEL}={PROFILE}"
# Kubeflow's profile-controller makes a profile's namespace belong to it.
_OWNER = "Profile"


def judge(namespaces: Sequence[Document], place: Place) -> Iterator[Finding]:
    """Judge all namespaces of the cluster."""
    labelled = [one for one in namespaces if _labelled(one)]
    for namespace in namespaces:
        owners = [
            text(owner, "kind") for owner in objects(namespace, "metadata", "ownerReferences")
        ]
        if _OWNER in owners and not _labelled(namespace):
            name = name_of(namespace)
            what = f"is a profile's, and lacks the label {SELECTOR}: nothing is checked there"
            cure = f"{place.kubectl} label namespace {name} {SELECTOR}"
            yield wrong(what, f"namespace/{cut(name, 63)}", cure)
    if labelled:
        yield ok(f"namespaces with the label {SELECTOR}: {len(labelled)}")
    else:
        what = f"no namespace has the label {SELECTOR}: nothing is ever checked"
        yield warning(
            what,
            cure=f"# in the namespace of users: {place.kubectl} label namespace NAME {SELECTOR}",
        )


def _labelled(namespace: Document) -> bool:
    return text(namespace, "metadata", "labels", PROFILE_LABEL) == PROFILE


def _look(site: Site) -> Iterator[Finding]:
    yield from judge(site.all(NAMESPACES), site.place)


CHECK = Check(
    id="profiles",
    why="nbgate judges pods in namespaces with Kubeflow's label for profiles only; one without it is not guarded.",
    look=_look,
)
