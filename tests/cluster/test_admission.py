"""A real API server refuses, patches or lets through what people and controllers send it."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from tests.cluster import webhooks
from tests.cluster.enforcement import in_force
from tests.cluster.gate import Gate, container, created, env, message_of
from tests.cluster.manifests import Document, notebook, pod_of, stateful_set
from tests.cluster.waiting import wait_for
from tests.server.documents import scan
from webhook.core.requirements import REQUIREMENTS

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("controllers")]

GOOD = "registry.example.com/notebooks/scipy:1"
CUDA = "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-cuda-full:v1.10.0"
BAD = "registry.example.com/notebooks/nginx:1"
UNKNOWN = "registry.example.com/notebooks/unknown:1"
PROXY: Document = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.20"}


@pytest.fixture(scope="module")
def digests(gate: Gate) -> dict[str, str]:
    """What nbgate knows: two images that conform, and one that does not."""
    return {
        GOOD: gate.knows(GOOD, cuda=False),
        CUDA: gate.knows(CUDA, cuda=True),
        BAD: gate.knows(BAD, cuda=False, failing=("port-8888", "uid-1000", "nb-prefix")),
    }


@pytest.fixture(autouse=True)
def default_policy(gate: Gate, digests: dict[str, str]) -> None:  # noqa: ARG001 - known before each test
    """Each test begins with the default policy, as a file."""
    gate.follows()


# -- 1: patched -----------------------------------------------------------------------------------


def test_a_conforming_notebook_pod_is_patched_in_every_way(
    gate: Gate, digests: dict[str, str], namespace: str
) -> None:
    gate.control_plane.create(
        stateful_set(
            "nb",
            namespace,
            CUDA,
            containers_before=[PROXY],
            env=[{"name": "NB_PREFIX", "value": "/wrong"}, {"name": "OTHER", "value": "kept"}],
            labels={"notebook-name": "somebody-else"},
            mount=False,
        )
    )

    pod = gate.pod(namespace, "nb-0")

    held = container(pod, "nb")
    assert env(held) == {"NB_PREFIX": f"/notebook/{namespace}/nb", "OTHER": "kept"}
    assert held["securityContext"] == {"runAsUser": 1000, "runAsNonRoot": True}
    assert held["image"] == f"{CUDA}@{digests[CUDA]}"
    assert held["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "nb-workspace", "mountPath": "/home/jovyan"} in held["volumeMounts"]
    assert pod["spec"]["securityContext"] == {"fsGroup": 100}
    proxy = container(pod, "istio-proxy")
    assert proxy["image"] == PROXY["image"]
    assert "securityContext" not in proxy
    assert "env" not in proxy
    assert pod["spec"]["containers"].index(proxy) == 0


def test_a_pod_that_needs_nothing_is_let_through_as_it_is(
    gate: Gate, digests: dict[str, str], namespace: str
) -> None:
    ready = pod_of(stateful_set("nb", namespace, f"{GOOD}@{digests[GOOD]}"))
    held = container(ready, "nb")
    held["env"] = [{"name": "NB_PREFIX", "value": f"/notebook/{namespace}/nb"}]
    held["securityContext"] = {"runAsUser": 1000, "runAsNonRoot": True}

    pod = created(gate.post(ready, dry_run=True))

    assert container(pod, "nb")["image"] == f"{GOOD}@{digests[GOOD]}"
    assert "nvidia.com/gpu" not in str(pod)
    assert [r["patch"] for r in gate.records(namespace)] == []


def test_a_notebook_without_a_workspace_gets_an_empty_home_and_a_warning(
    gate: Gate, namespace: str
) -> None:
    made = pod_of(stateful_set("nb", namespace, GOOD, claim=False))
    done = gate.control_plane.create(made, flags=("--dry-run=server", "-o", "json"))
    assert "emptyDir" in done.stdout
    assert "Warning: no workspace volume" in done.stderr


# -- 2: refused -----------------------------------------------------------------------------------


def test_a_violating_image_is_refused_with_everything_that_is_wrong(
    gate: Gate, digests: dict[str, str], namespace: str
) -> None:
    gate.control_plane.create(stateful_set("nb", namespace, BAD))

    event = gate.refusals(namespace, "nb")[0]["message"]

    assert 'admission webhook "pods.nbgate.dev" denied the request: ' in event
    assert f"image {BAD}@{digests[BAD]} does not work as a notebook: " in event
    for requirement in ("port-8888", "uid-1000", "nb-prefix"):
        assert f"[{requirement}] about {requirement}" in event
    assert "Fix: http" in event


def test_the_api_servers_audit_log_carries_our_annotations(
    gate: Gate, digests: dict[str, str], namespace: str
) -> None:
    message_of(gate.post(pod_of(stateful_set("nb", namespace, BAD))))

    [annotations] = gate.annotations(namespace, HTTPStatus.FORBIDDEN)

    ours = {
        key.partition("/")[2]: value
        for key, value in annotations.items()
        if key.startswith("pods.nbgate.dev/")
    }
    assert ours == {
        "decision": "denied",
        "policy": ours["policy"],
        "image": BAD,
        "digest": digests[BAD],
        "scan": gate.scans[BAD]["metadata"]["name"],
        "violations": "port-8888,nb-prefix,uid-1000",
    }
    assert annotations["mutate.pods.nbgate.dev/decision"] == "allowed"


def test_a_refusal_is_recorded_once_while_the_controller_retries(
    gate: Gate, digests: dict[str, str], namespace: str
) -> None:
    gate.control_plane.create(stateful_set("nb", namespace, BAD))

    def retried() -> bool:
        events = [
            event
            for event in gate.control_plane.audit_events(namespace)
            if event["objectRef"]["resource"] == "pods" and event["responseStatus"]["code"] == 403
        ]
        return len(events) >= 5

    wait_for(retried, 30, "the StatefulSet controller to try again")
    [record] = gate.records(namespace)
    assert record["decision"] == "denied"
    assert record["notebook"] == "nb"
    assert record["pod"] == "nb-0"
    assert record["user"] == "system:serviceaccount:kube-system:statefulset-controller"
    assert [v["requirement"] for v in record["violations"]] == [
        "port-8888",
        "nb-prefix",
        "uid-1000",
    ]
    assert record["scan"]["name"] == gate.scans[BAD]["metadata"]["name"]
    assert record["canonicalImage"] == f"{BAD}@{digests[BAD]}"
    assert record["suppressed"] == 0


# -- 3: as design.md says -------------------------------------------------------------------------


def test_an_unscanned_image_is_refused_until_it_is_scanned(gate: Gate, namespace: str) -> None:
    image = "registry.example.com/notebooks/later:1"
    gate.control_plane.create(stateful_set("nb", namespace, image))
    assert "[unscanned]" in gate.refusals(namespace, "nb")[0]["message"]

    digest = gate.knows(image)

    # a touch makes the controller try at once; its own retries back off up to many minutes
    path = f"statefulset/nb -n {namespace} touched=yes"
    gate.control_plane.kubectl("annotate", *path.split())
    assert container(gate.pod(namespace, "nb-0"), "nb")["image"] == f"{image}@{digest}"


def test_a_stale_scan_is_only_warned_of_unless_the_policy_says_more(
    gate: Gate, namespace: str
) -> None:
    image = "registry.example.com/notebooks/stale:1"
    old = scan(image, name="stale", digit="c")
    old["status"] |= {"resolvedAt": "2020-01-01T00:00:00Z", "scannedAt": "2020-01-01T00:00:00Z"}
    gate.holds(old)
    made = pod_of(stateful_set("nb", namespace, image))

    done = gate.control_plane.create(made, flags=("--dry-run=server",))
    assert "Warning: [stale] " in done.stderr

    gate.follows(stale={"after": "168h", "action": "Deny"})
    assert "[stale] its scan is older than 168h" in message_of(gate.post(made))


def test_an_exemption_waives_its_rules_and_is_told_and_recorded(gate: Gate, namespace: str) -> None:
    exemption = {
        "name": "legacy",
        "namespaces": [namespace],
        "images": ["registry.example.com/notebooks/nginx"],
        "requirements": ["port-8888", "nb-prefix", "uid-1000"],
        "reason": "moving, TICKET-1",
        "expires": "2999-12-31",
    }
    made = pod_of(stateful_set("nb", namespace, BAD))
    gate.follows(exemptions=[exemption])

    done = gate.control_plane.create(made)

    assert "Warning: exemption legacy applies until 2999-12-31: moving, TICKET-1" in done.stderr
    [record] = gate.records(namespace)
    assert record["exemptions"] == ["legacy"]
    metrics = gate.server.client.get("/metrics").text
    assert 'nbgate_exemptions_used_total{exemption="legacy"}' in metrics
    gate.follows(exemptions=[{**exemption, "expires": "2020-12-31"}])
    assert "[port-8888]" in message_of(gate.post(made, dry_run=True))


def test_an_image_from_another_registry_is_refused_in_every_container(
    gate: Gate, namespace: str
) -> None:
    gate.follows(registries={"allow": ["registry.example.com/**"]})
    made = pod_of(stateful_set("nb", namespace, GOOD, containers_before=[PROXY]))
    made["spec"]["initContainers"] = [{"name": "setup", "image": "evil.example.com/setup:1"}]

    message = message_of(gate.post(made))

    assert "container istio-proxy: image docker.io/istio/proxyv2:1.20 is not admitted" in message
    assert "init container setup: image evil.example.com/setup:1 is not admitted" in message
    assert message.count("[registry]") == 2


@pytest.mark.parametrize("image", ["My Image", "registry.example.com/Upper:1", "a:tag:tag", "x@y"])
def test_a_broken_reference_is_refused_in_words(gate: Gate, namespace: str, image: str) -> None:
    message = message_of(gate.post(pod_of(stateful_set("nb", namespace, image))))
    assert "[reference]" in message


def test_a_debug_container_on_a_running_notebook_is_judged(gate: Gate, namespace: str) -> None:
    gate.control_plane.create(stateful_set("nb", namespace, GOOD))
    gate.pod(namespace, "nb-0")
    gate.follows(registries={"allow": ["registry.example.com/**"]})
    path = f"/api/v1/namespaces/{namespace}/pods/nb-0/ephemeralcontainers"
    held = gate.control_plane.get(path)

    def add(image: str) -> Document:
        debug = {"name": "debug", "image": image, "terminationMessagePolicy": "File"}
        return {**held, "ephemeralContainers": [debug]}

    refused = gate.control_plane.request("PUT", path, add("docker.io/library/busybox:1.36"))
    assert "ephemeral container debug" in message_of(refused)
    allowed = gate.control_plane.request("PUT", path, add("registry.example.com/tools/debug:1"))
    assert allowed.status == HTTPStatus.OK, allowed.text


def test_set_image_on_a_running_notebook_is_judged(
    gate: Gate, digests: dict[str, str], namespace: str
) -> None:
    gate.control_plane.create(stateful_set("nb", namespace, GOOD))
    gate.pod(namespace, "nb-0")
    where = ("-n", namespace)

    refused = gate.control_plane.kubectl(
        "set", "image", "pod/nb-0", f"nb={BAD}", *where, check=False
    )
    assert refused.returncode != 0
    assert "[uid-1000]" in refused.stderr
    assert "[pod-digest]" in refused.stderr
    pinned = f"nb={CUDA}@{digests[CUDA]}"
    gate.control_plane.kubectl("set", "image", "pod/nb-0", pinned, *where)
    # what did not change is not judged, however wrong it is by now
    gate.follows(registries={"allow": ["elsewhere.example.com/**"]})
    gate.control_plane.kubectl("label", "pod", "nb-0", "touched=yes", *where)


def test_a_dry_run_is_judged_alike_and_creates_nothing(gate: Gate, namespace: str) -> None:
    assert "[uid-1000]" in message_of(
        gate.post(pod_of(stateful_set("nb", namespace, BAD)), dry_run=True)
    )
    created(gate.post(pod_of(stateful_set("nb", namespace, GOOD)), dry_run=True))
    assert gate.control_plane.get(f"/api/v1/namespaces/{namespace}/pods")["items"] == []
    assert [record["dryRun"] for record in gate.records(namespace)] == [True]


def test_a_notebook_is_refused_in_the_spawners_form_for_a_bad_image(
    gate: Gate, namespace: str
) -> None:
    for version in ("v1", "v1beta1", "v1alpha1"):
        made = notebook("nb", namespace, BAD, version=version, mount=False)
        refused = gate.control_plane.create(made, flags=("--dry-run=server",), check=False)
        assert "does not work as a notebook" in refused.stderr
        assert "[uid-1000]" in refused.stderr
    created(gate.post(notebook("nb", namespace, GOOD, mount=False), dry_run=True))


def test_a_notebook_with_an_unscanned_image_is_only_warned_of(gate: Gate, namespace: str) -> None:
    made = notebook("nb", namespace, UNKNOWN, mount=False)
    done = gate.control_plane.create(made, flags=("--dry-run=server",))
    assert "Warning: [unscanned]" in done.stderr


def test_an_image_that_serves_at_root_needs_the_rewrite_on_a_notebook_alone(
    gate: Gate, namespace: str
) -> None:
    image = "registry.example.com/notebooks/codeserver:1"
    document = scan(image, name="codeserver", digit="d", failing=("nb-prefix", "allow-origin"))
    document["status"] |= {"serving": "Root"}
    gate.holds(document)
    rewrite = {"notebooks.kubeflow.org/http-rewrite-uri": "/"}

    created(gate.post(pod_of(stateful_set("nb", namespace, image)), dry_run=True))
    created(gate.post(notebook("nb", namespace, image, annotations=rewrite), dry_run=True))
    message = message_of(gate.post(notebook("nb", namespace, image), dry_run=True))
    assert "http-rewrite-uri" in message
    gate.follows(acceptRewrite=False)
    message = message_of(gate.post(pod_of(stateful_set("nb", namespace, image)), dry_run=True))
    assert "[nb-prefix]" in message
    assert "[allow-origin]" in message


def test_a_user_that_asks_for_root_is_told_so(gate: Gate, namespace: str) -> None:
    made = pod_of(stateful_set("nb", namespace, GOOD, security_context={"runAsUser": 0}))
    assert "[pod-uid] runAsUser must be 1000, not 0" in message_of(gate.post(made))


# -- 4: never in the way --------------------------------------------------------------------------


def test_a_deletion_is_never_blocked(gate: Gate, namespace: str) -> None:
    made = pod_of(stateful_set("nb", namespace, GOOD))
    made["metadata"]["finalizers"] = ["example.com/hold"]
    created(gate.post(made))
    gate.follows(registries={"allow": ["elsewhere.example.com/**"]})
    where = ("-n", namespace)

    gate.control_plane.kubectl("delete", "pod", "nb-0", "--wait=false", *where)
    # an UPDATE of a pod that is being deleted, whose image nothing would allow by now
    patch = '{"metadata":{"finalizers":null}}'
    gate.control_plane.kubectl("patch", "pod", "nb-0", "--type=merge", "-p", patch, *where)

    def gone() -> bool:
        return not gate.control_plane.get(f"/api/v1/namespaces/{namespace}/pods")["items"]

    wait_for(gone, 10, "the pod to be gone")


def test_a_pod_that_is_no_notebook_is_never_touched(gate: Gate, namespace: str) -> None:
    gate.follows(registries={"allow": ["elsewhere.example.com/**"]})
    made = pod_of(stateful_set("nb", namespace, "Not An Image"))
    made["metadata"]["labels"] = {"app": "job"}
    # the API server takes any text for an image: the kubelet would refuse it
    pod = created(gate.post(made, dry_run=True))
    assert container(pod, "nb")["image"] == "Not An Image"
    assert "runAsUser" not in str(pod["spec"]["containers"])


def test_every_requirement_can_refuse_by_itself(gate: Gate, namespace: str) -> None:
    for requirement in REQUIREMENTS:
        image = f"registry.example.com/failing/{requirement}:1"
        gate.knows(image, failing=(requirement,))
        message = message_of(gate.post(pod_of(stateful_set("nb", namespace, image)), dry_run=True))
        assert message.count("[") == 1
        assert f"[{requirement}] about {requirement}" in message


def test_with_nbgate_down_notebooks_wait_and_everything_else_goes_on(
    gate: Gate, namespace: str
) -> None:
    """failurePolicy: Ignore on the mutating side, Fail on the validating one."""
    authority = gate.server.authority.read_bytes()
    dead_port = 1  # reserved; nobody listens there
    configurations = [
        {**made, "metadata": {"name": "nbgate-down"}}
        for made in (
            webhooks.mutating(dead_port, authority),
            webhooks.validating(dead_port, authority),
        )
    ]
    with in_force(gate.control_plane, *configurations):
        blocked = gate.post(pod_of(stateful_set("nb", namespace, GOOD)), dry_run=True)
        assert blocked.status == HTTPStatus.INTERNAL_SERVER_ERROR
        assert "failed calling webhook" in blocked.text
        other = pod_of(stateful_set("job", namespace, GOOD))
        other["metadata"]["labels"] = {"app": "job"}
        created(gate.post(other, dry_run=True))
