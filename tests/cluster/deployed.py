"""nbgate as a platform team runs it: our own image, installed on the real node by the one command that a user types."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from tests.cluster.controlplane import OWN_NAMESPACE, RequestRefused
from tests.cluster.manifests import Document, pod_of, profile, stateful_set
from tests.cluster.node import Node
from tests.cluster.waiting import wait_for
from tests.images.building import push

OVERLAY = Path(__file__).parents[2] / "deploy/overlays/self-managed"
OLD = Path(__file__).parents[2] / "deploy/components/kubernetes-1.20"
PUBLISHED = "ghcr.io/nbgate/nbgate"  # the image's name in the manifests
TRIAL = "trial-of-installation"  # a profile, in which admission is tried
INSTALL_SECONDS = 180  # five pods of Python start at once on two cores: about 30 are usual
WEBHOOK, CONTROLLER = "nbgate-webhook", "nbgate-controller"
PRUNE_AFTER = "10s"
REPLICAS = {WEBHOOK: 3, CONTROLLER: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An installed nbgate.

    Attributes:
        manifests: what was applied, rendered.
        seconds: from the command until a notebook without a scan was refused in nbgate's own words.
        restarts: of containers, until all replicas were ready.
    """

    node: Node
    manifests: tuple[Document, ...]
    seconds: float
    restarts: int = 0

    def pods(self, deployment: str) -> list[Document]:
        """Return a Deployment's pods that are not on their way out."""
        labels = f"app.kubernetes.io/component={deployment.removeprefix('nbgate-')}"
        path = f"/api/v1/namespaces/{OWN_NAMESPACE}/pods?labelSelector={labels}"
        items: list[Document] = self.node.plane.get(path)["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def logs(self, deployment: str) -> str:
        """Return what a Deployment's pods have said so far."""
        names = [pod["metadata"]["name"] for pod in self.pods(deployment)]
        flags = (f"--namespace={OWN_NAMESPACE}", "--tail=-1")
        return "".join(
            self.node.plane.kubectl("logs", *flags, name, check=False).stdout for name in names
        )

    def settled(self, deployment: str) -> bool:
        """Tell whether a Deployment is as it should be: all pods new, ready and no other left."""
        path = f"/apis/apps/v1/namespaces/{OWN_NAMESPACE}/deployments/{deployment}"
        found = self.node.plane.get(path)
        status, wanted = found["status"], found["spec"]["replicas"]
        counts = [status.get(key) for key in ("updatedReplicas", "readyReplicas", "replicas")]
        seen = status.get("observedGeneration") == found["metadata"]["generation"]
        # What is counted follows the pods a little later.
        ready = [is_ready(pod) for pod in self.pods(deployment)]
        return seen and counts == [wanted] * 3 and ready == [True] * wanted

    def wait_until_settled(self, deployment: str, seconds: float) -> None:
        """Wait until a Deployment is as it should be."""
        wait_for(lambda: self.settled(deployment), seconds, f"{deployment} to be complete")


def is_ready(pod: Document) -> bool:
    """Tell whether a pod is among a Service's endpoints."""
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True"


def restart_count(pod: Document) -> int:
    """Return how often containers of a pod were started again."""
    return sum(status["restartCount"] for status in pod["status"]["containerStatuses"])


def installed(node: Node, layout: Path, kustomize: Path, directory: Path) -> Deployed:
    """Install nbgate with the image of an OCI layout; the node's end is its end. `directory` is for an overlay."""
    image = f"{node.registry.host}/nbgate:test"
    push(layout, image)
    overlay = _write_overlay(directory, node.registry.host)
    rendered = _run(f"{kustomize} build {overlay}", node)
    node.plane.create(*profile(TRIAL))
    wait_for(
        lambda: node.plane.admits_pods_of("default-editor", TRIAL),
        30,
        "a profile's service account",
        ignoring=(RequestRefused,),
    )
    begin = time.monotonic()
    # What a user types.
    _run(f"{kustomize} build {overlay} | {node.plane.programs.kubectl} apply -f -", node)
    wait_for(lambda: _refuses(node), INSTALL_SECONDS, "nbgate to refuse an image without a scan")
    seconds = time.monotonic() - begin
    deployed = Deployed(node=node, manifests=tuple(yaml.safe_load_all(rendered)), seconds=seconds)
    for deployment in REPLICAS:
        deployed.wait_until_settled(deployment, INSTALL_SECONDS)
    pods = [pod for deployment in REPLICAS for pod in deployed.pods(deployment)]
    return replace(deployed, restarts=sum(map(restart_count, pods)))


def _write_overlay(directory: Path, registry: str) -> Path:
    """Write what this machine needs besides the self-managed installation; nothing else differs from it."""
    host = {"name": "NBGATE_CONTROLLER_PLAIN_HTTP", "value": registry}
    private = {"name": "NBGATE_CONTROLLER_PRIVATE_REGISTRY", "value": registry}
    # What nobody uses goes when somebody begins to lead: by default after a month, which no test waits for.
    prune = {"name": "NBGATE_CONTROLLER_PRUNE_AFTER", "value": PRUNE_AFTER}
    patches = [_patch(WEBHOOK), _patch(CONTROLLER, host, private, prune)]
    repository = f"{registry}/nbgate"
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        # kustomize wants a relative path.
        "resources": [os.path.relpath(OVERLAY, directory)],
        "components": [os.path.relpath(OLD, directory)],
        "images": [{"name": PUBLISHED, "newName": repository, "newTag": "test"}],
        "patches": [{"patch": json.dumps(patch)} for patch in patches],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return directory


def _patch(deployment: str, *env: Document) -> Document:
    container = {
        "name": deployment.removeprefix("nbgate-"),
        # Two cores are all there is, for notebooks and probes too.
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "env": list(env),
    }
    # There is no cluster DNS.
    spec = {"dnsPolicy": "Default", "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": deployment, "namespace": OWN_NAMESPACE},
        "spec": {"template": {"spec": spec}},
    }


def _run(command: str, node: Node) -> str:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "KUBECONFIG": str(node.plane.kubeconfig)},
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout


def trial(
    image: str = "trial.example.com/trial:v1", *, dry_run: bool = True
) -> tuple[str, str, Document]:
    """Return the request for a notebook's pod with an image that nobody has scanned; a dry run asks for no scan."""
    pod = pod_of(stateful_set("trial", TRIAL, image, claim=False))
    path = f"/api/v1/namespaces/{TRIAL}/pods"
    return "POST", f"{path}?dryRun=All" if dry_run else path, pod


def _refuses(node: Node) -> bool:
    """Tell whether the API server refuses a notebook for lack of a scan."""
    return "[unscanned]" in node.plane.request(*trial()).text
