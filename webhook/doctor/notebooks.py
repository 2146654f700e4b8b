"""[notebooks] Kubeflow's kind Notebook is there."""

from collections.abc import Iterator

from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning
from webhook.doctor.reading import objects
from webhook.doctor.site import Site
from webhook.kube import DEFINITIONS, NOTEBOOKS, Document

NAME = f"{NOTEBOOKS.name}.{NOTEBOOKS.group}"


def judge(definition: Document | None) -> Iterator[Finding]:
    """Judge its definition, None where it is not there."""
    where = f"crd/{NAME}"
    served = [v.get("name") for v in objects(definition, "spec", "versions") if v.get("served")]
    if definition is None:
        yield warning("is not there: this cluster has no Kubeflow Notebooks, or none yet", where)
    elif NOTEBOOKS.version not in served:
        what = f"does not serve {NOTEBOOKS.version}: the controller finds no Notebook to tell its owner on"
        yield warning(what, where)
    else:
        yield ok(f"serves {', '.join(map(str, served))}", where)


def _look(site: Site) -> Iterator[Finding]:
    yield from judge(site.find(DEFINITIONS, NAME))


CHECK = Check(
    id="notebooks",
    why="Refusals in the spawner's form, and Events, are about Notebooks; pods are judged without them.",
    look=_look,
)
