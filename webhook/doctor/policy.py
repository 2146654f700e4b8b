"""[policy] The NotebookPolicy `default` can be followed, and is; others have no effect."""

from collections.abc import Iterator, Sequence

from webhook.core.document import InvalidDocument
from webhook.core.policy import DEFAULT_POLICY, read_policy
from webhook.core.words import cut
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning, wrong
from webhook.doctor.place import Place
from webhook.doctor.reading import mapping, name_of, number
from webhook.doctor.site import Site
from webhook.kube import NOTEBOOK_POLICIES, Document

NAME = DEFAULT_POLICY.metadata.name


def judge(policies: Sequence[Document], place: Place) -> Iterator[Finding]:
    """Judge all NotebookPolicies."""
    followed = next((one for one in policies if name_of(one) == NAME), None)
    if followed is None:
        yield ok(f"there is no NotebookPolicy {NAME}: the built-in default holds")
    else:
        yield from _followed(followed, place)
    for policy in policies:
        if policy is not followed:
            name = name_of(policy)
            what = f"has no effect: only the policy named {NAME} is followed"
            cure = f"{place.kubectl} delete notebookpolicy {name}"
            yield warning(what, f"notebookpolicy/{cut(name, 100)}", cure)


def _followed(policy: Document, place: Place) -> Iterator[Finding]:
    where = f"notebookpolicy/{NAME}"
    edit = f"{place.kubectl} edit notebookpolicy {NAME}"
    try:
        read_policy(policy)
    except InvalidDocument as error:
        faults = "; ".join(str(fault) for fault in error.faults[:3])
        what = f"is wrong, and the last good one is followed: {cut(faults, 300)}"
        yield wrong(what, where, edit)
        return
    status = mapping(policy, "status")
    behind = number(status, "observedGeneration") != number(policy, "metadata", "generation")
    if behind:
        what = "the controller has not looked at it since it was changed"
        yield warning(what, where, f"{place.here} logs deployment/nbgate-controller --tail=20")
    elif status.get("inForce") is not True:
        what = "its status says that it is not in force"
        yield warning(what, where, f"{place.kubectl} get notebookpolicy {NAME} -o yaml")
    else:
        yield ok(f"is in force, at its strictest {status.get('mode') or 'unknown'}", where)


def _look(site: Site) -> Iterator[Finding]:
    yield from judge(site.all(NOTEBOOK_POLICIES), site.place)


CHECK = Check(
    id="policy",
    why="A policy that is wrong is not followed: what it was changed for does not happen.",
    look=_look,
)
