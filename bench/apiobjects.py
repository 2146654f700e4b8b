"""What is put into the API server that is measured: namespaces, webhook configurations, pods."""

from collections.abc import Iterator

from bench.child import Running
from bench.corpus import FIRST
from tests.cluster import webhooks
from tests.cluster.manifests import Document, pod_of, stateful_set

_LABEL = "bench.nbgate.dev/webhook"
_WEBHOOK_SECONDS = 30  # far beyond any answer: a call that is given up would be no measure


def configurations(name: str, server: Running, authority: bytes) -> Iterator[Document]:
    """Give the two configurations that a deployed nbgate has, for one namespace and any server."""
    changes = {
        "namespaceSelector": {"matchLabels": {_LABEL: name}},
        "timeoutSeconds": _WEBHOOK_SECONDS,
        # What is not answered is an error, and no success that came quickly.
        "failurePolicy": "Fail",
    }
    for make in (webhooks.mutating, webhooks.validating):
        configuration = make(server.port, authority)
        hooks = [{**hook, **changes} for hook in configuration["webhooks"]]
        yield {**configuration, "metadata": {"name": f"bench-{name}"}, "webhooks": hooks}


def pods(name: str) -> str:
    """Give the path of a namespace's pods."""
    return f"/api/v1/namespaces/{namespace(name)['metadata']['name']}/pods"


def namespace(name: str) -> Document:
    """Make a namespace whose pods go to the webhooks of that name."""
    metadata = {"name": f"bench-{name}", "labels": {_LABEL: name}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def pod(name: str) -> Document:
    """Make the pod of a notebook with a scanned image that conforms; the API server gives each a name of its own."""
    made = pod_of(stateful_set("my-nb", f"bench-{name}", FIRST))
    del made["metadata"]["name"]
    made["metadata"]["generateName"] = "my-nb-"
    return made
