"""[disruption-budget] A PodDisruptionBudget keeps webhook pods alive while nodes are drained."""

from collections.abc import Iterator, Mapping, Sequence

from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning
from webhook.doctor.place import Place
from webhook.doctor.reading import mapping, name_of, number
from webhook.doctor.site import Site
from webhook.kube import Document
from webhook.kubeerrors import Resource

# policy/v1 came with Kubernetes 1.21, and policy/v1beta1 went with 1.25.
_V1_SINCE = (1, 21)


def budgets(version: tuple[int, int]) -> Resource:
    """Name the kind as an API server of this version serves it."""
    name = "v1" if version >= _V1_SINCE else "v1beta1"
    return Resource(group="policy", version=name, name="poddisruptionbudgets")


def judge(found: Sequence[Document], place: Place) -> Iterator[Finding]:
    """Judge the namespace's budgets."""
    ours = [budget for budget in found if _selects_webhook(mapping(budget, "spec", "selector"))]
    if not ours:
        what = "no PodDisruptionBudget for the webhook: a drain may take all replicas at once"
        yield warning(what, f"namespace/{place.namespace}", place.install)
    for budget in ours:
        where = f"pdb/{name_of(budget)}"
        allowed = number(budget, "status", "disruptionsAllowed")
        yield ok(f"webhook pods that may be evicted now: {allowed}", where)


def _selects_webhook(selector: Mapping[str, object]) -> bool:
    labels = mapping(selector, "matchLabels")
    if not labels:
        return False
    pod = {"app.kubernetes.io/name": "nbgate", "app.kubernetes.io/component": "webhook"}
    # labels of the chart, such as its release's name, are taken as right
    return all(pod.get(key, value) == value for key, value in labels.items())


def _look(site: Site) -> Iterator[Finding]:
    kind = budgets(site.version)
    yield from judge(site.all(kind, site.place.namespace), site.place)


CHECK = Check(
    id="disruption-budget",
    why="Without it an upgrade of the nodes may evict every replica at once, and the validating side fails closed.",
    look=_look,
)
