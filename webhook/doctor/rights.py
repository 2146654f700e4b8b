"""[rights] The service accounts may do what they need, and not what would make one of them dangerous."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from webhook.doctor.check import Check
from webhook.doctor.expectedrights import Right, forbidden, needed
from webhook.doctor.finding import Finding, ok, wrong
from webhook.doctor.place import Place
from webhook.doctor.reading import mapping
from webhook.doctor.site import Cluster, Site
from webhook.kube import ACCESS_REVIEWS, Document

_AT_ONCE = 8
_SHOWN = 5


def judge(
    may: Iterable[tuple[Right, bool]], must_not: Iterable[tuple[Right, bool]], place: Place
) -> Iterator[Finding]:
    """Judge what the API server said of each right: whether it is granted."""
    missing = [right for right, granted in may if not granted]
    excess = [right for right, granted in must_not if granted]
    for account in dict.fromkeys(right.account for right in missing):
        listed = _listed([right for right in missing if right.account == account])
        yield wrong(f"may not {listed}", f"serviceaccount/{account}", place.install)
    for account in dict.fromkeys(right.account for right in excess):
        of_it = [right for right in excess if right.account == account]
        subject = f"{place.namespace}:{account}"
        cure = f"{place.kubectl} get clusterrolebindings,rolebindings -A -o wide | grep {account}"
        what = f"may {_listed(of_it)}: whoever takes it over may as well ({subject})"
        yield wrong(what, f"serviceaccount/{account}", cure)
    if not (missing or excess):
        yield ok("both service accounts may do what they need, and no more of what was asked about")


def _listed(rights: Sequence[Right]) -> str:
    shown = "; ".join(str(right) for right in rights[:_SHOWN])
    return f"{shown}; and {len(rights) - _SHOWN} more" if len(rights) > _SHOWN else shown


def review(right: Right, namespace: str) -> Document:
    """Make the question whether an account of this namespace has a right."""
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "namespace": right.namespace,
        "name": right.name,
    }
    groups = [
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    ]
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{right.account}",
            "groups": groups,
            "resourceAttributes": {key: value for key, value in attributes.items() if value},
        },
    }


def _ask(kube: Cluster, namespace: str, rights: Iterable[Right]) -> list[tuple[Right, bool]]:
    def granted(right: Right) -> tuple[Right, bool]:
        answer = kube.create(ACCESS_REVIEWS, review(right, namespace))
        return right, mapping(answer, "status").get("allowed") is True

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(granted, rights))


def _look(site: Site) -> Iterator[Finding]:
    namespace = site.place.namespace
    may = _ask(site.kube, namespace, needed(namespace, site.place.certificates))
    yield from judge(may, _ask(site.kube, namespace, forbidden(namespace)), site.place)


CHECK = Check(
    id="rights",
    why="A verb that is missing stops a part of nbgate; one too many is a way into the cluster.",
    look=_look,
)
