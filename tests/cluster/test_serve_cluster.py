"""`nbgate serve` with all of it from the cluster: a real API server, and an account with the webhook's rights alone."""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.cli.running import Ended, nbgate
from tests.cluster import webhooks
from tests.cluster.controlplane import Answer, ControlPlane
from tests.cluster.enforcement import in_force
from tests.cluster.gate import message_of
from tests.cluster.manifests import Document, notebook, pod_of, stateful_set
from tests.cluster.waiting import wait_for
from tests.cluster.webhookside import API, CLUSTER, Installation, kinds_served
from tests.server.documents import policy, scan
from tests.server.running import RunningServer, recorded
from webhook.core.scan import scan_name

pytestmark = pytest.mark.cluster

# A busy machine's time for what takes a fraction of a second, or three until the Secret is looked at again.
SECONDS = 15
SCANS, POLICIES = f"{API}/imagescans", f"{API}/notebookpolicies"
ASKED = "its scan is asked for: the notebook starts when the scan is done"
UNDER_WAY = "its scan is under way: the notebook starts when the scan is done"


@pytest.fixture(scope="module")
def installation(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with kinds_served(control_plane):
        yield Installation(control_plane, tmp_path_factory.mktemp("accounts"))


@pytest.fixture(scope="module")
def started_early(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A replica that starts before its certificate is issued."""
    home = tmp_path_factory.mktemp("replica")
    environment = {"KUBECONFIG": str(installation.account())}
    server = RunningServer(home, *CLUSTER, environment=environment, waits=False)
    try:
        server.eventually(lambda: bool(said(server, "waiting for a certificate")), 20, "its word")
        installation.issue()
        server.await_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(
    installation: Installation, control_plane: ControlPlane, started_early: RunningServer
) -> Iterator[RunningServer]:
    """That replica, in front of the control plane."""
    authority = installation.authority.certificate_pem
    configurations = (
        webhooks.mutating(started_early.port, authority),
        webhooks.validating(started_early.port, authority),
    )
    with in_force(control_plane, *configurations):
        yield started_early


def said(server: RunningServer, event: str) -> list[Document]:
    """The lines of its log about this."""
    lines = [json.loads(line) for line in list(server.log)]
    return [line for line in lines if line["event"] == event]


def condition(server: RunningServer, name: str) -> Document:
    listed: list[Document] = server.client.get("/readyz").json()["conditions"]
    return next(c for c in listed if c["type"] == name)


def an_image() -> str:
    return f"registry.example.com/team/{secrets.token_hex(4)}:v1"


def a_pod(namespace: str, image: str) -> Document:
    return pod_of(stateful_set(f"nb-{secrets.token_hex(3)}", namespace, image))


def post(plane: ControlPlane, document: Document, *, dry_run: bool = False) -> Answer:
    namespace = document["metadata"]["namespace"]
    places = {
        "Pod": f"/api/v1/namespaces/{namespace}/pods",
        "Notebook": f"/apis/kubeflow.org/v1beta1/namespaces/{namespace}/notebooks",
    }
    query = "?dryRun=All" if dry_run else ""
    return plane.request("POST", places[document["kind"]] + query, document)


def stored(plane: ControlPlane, image: str) -> Document | None:
    answer = plane.request("GET", f"{SCANS}/{scan_name(image)}")
    return answer.document if answer.status == HTTPStatus.OK else None


# -- the certificate -------------------------------------------------------------------------------


def test_it_waits_for_its_certificate_and_serves_when_that_is_issued(
    installation: Installation, started_early: RunningServer
) -> None:
    (waiting,) = said(started_early, "waiting for a certificate")
    assert waiting["source"] == f"Secret nbgate-tls in namespace {installation.namespace}"
    assert "holds no tls.crt and no tls.key" in waiting["problem"]
    assert condition(started_early, "Certificate")["status"] == "True"
    assert {c["type"] for c in started_early.client.get("/readyz").json()["conditions"]} == {
        "Certificate",
        "Policy",
        "Scans",
        "Namespaces",
        "ScanRequests",
        "StandardOutput",
        "Serving",
    }


def serves(server: RunningServer, pem: bytes) -> bool:
    shown = ssl.get_server_certificate(("127.0.0.1", server.port))
    return shown.strip() == pem.decode().strip()


def test_a_changed_certificate_serves_without_a_failed_request(
    installation: Installation, started_early: RunningServer
) -> None:
    failures: list[Exception] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                assert started_early.fresh_get("/readyz").status_code == 200
            except (httpx.HTTPError, AssertionError) as error:
                failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        leaf = installation.issue()
        started_early.eventually(lambda: serves(started_early, leaf.certificate_pem), SECONDS, "it")
    finally:
        done.set()
        asking.join()
    assert failures == []


def test_a_secret_that_is_lost_changes_nothing_and_it_is_said(
    installation: Installation, started_early: RunningServer
) -> None:
    before = ssl.get_server_certificate(("127.0.0.1", started_early.port))

    def says(words: str) -> bool:
        return words in condition(started_early, "Certificate")["message"]

    installation.hold({})
    started_early.eventually(lambda: says("holds no tls.crt"), SECONDS, "its word")
    installation.remove()
    started_early.eventually(lambda: says("not found"), SECONDS, "its word")
    assert condition(started_early, "Certificate")["status"] == "True"
    assert ssl.get_server_certificate(("127.0.0.1", started_early.port)) == before
    installation.put_back()
    leaf = installation.issue()
    started_early.eventually(lambda: serves(started_early, leaf.certificate_pem), SECONDS, "it")
    assert not says("refused")


# -- policy, modes, scans --------------------------------------------------------------------------


@pytest.fixture
def follows(control_plane: ControlPlane, server: RunningServer) -> Iterator[None]:
    """A policy that patches nothing, so that an image alone decides."""
    pod = {"pinDigest": False, "nbPrefix": False, "runAsUser": None, "home": None}
    named = {**policy(pod=pod), "metadata": {"name": "default"}}
    control_plane.create(named)
    server.eventually(lambda: "default@1" in condition(server, "Policy")["message"], SECONDS, "it")
    yield
    control_plane.kubectl("delete", "notebookpolicy", "default")
    server.eventually(lambda: "default@0" in condition(server, "Policy")["message"], SECONDS, "it")


def test_a_policy_takes_effect_and_the_default_one_when_it_is_gone(
    control_plane: ControlPlane, server: RunningServer, namespace: str
) -> None:
    image = an_image()
    assert "[unscanned]" in message_of(post(control_plane, a_pod(namespace, image), dry_run=True))
    lenient = {**policy(unscanned="Warn", pod={"runAsUser": None}), "metadata": {"name": "default"}}
    control_plane.create(lenient)

    def refused() -> bool:
        answer = post(control_plane, a_pod(namespace, image), dry_run=True)
        return "[unscanned]" in answer.text

    server.eventually(lambda: not refused(), SECONDS, "the policy to hold")
    control_plane.kubectl("delete", "notebookpolicy", "default")
    server.eventually(refused, SECONDS, "the default policy to hold")
    assert said(server, "loaded")


@pytest.mark.usefixtures("follows")
def test_the_label_of_a_namespace_takes_effect(
    control_plane: ControlPlane, server: RunningServer, namespace: str
) -> None:
    document = a_pod(namespace, an_image())
    assert post(control_plane, document, dry_run=True).status == HTTPStatus.FORBIDDEN
    control_plane.kubectl("label", "namespace", namespace, "nbgate.dev/mode=warn")
    server.eventually(
        lambda: post(control_plane, document, dry_run=True).status == HTTPStatus.CREATED,
        SECONDS,
        "the mode to count",
    )
    control_plane.kubectl("label", "namespace", namespace, "nbgate.dev/mode-")
    server.eventually(
        lambda: post(control_plane, document, dry_run=True).status == HTTPStatus.FORBIDDEN,
        SECONDS,
        "the mode to be gone",
    )


# -- scans that are asked for ----------------------------------------------------------------------


@pytest.mark.usefixtures("follows")
def test_an_unscanned_image_becomes_an_image_scan_and_starts_when_that_has_a_result(
    control_plane: ControlPlane, server: RunningServer, namespace: str
) -> None:
    image = an_image()
    document = a_pod(namespace, image)
    started = time.monotonic()
    assert ASKED in message_of(post(control_plane, document))
    made = wait_for(lambda: stored(control_plane, image), SECONDS, "the ImageScan")
    took = time.monotonic() - started
    assert took < 1
    assert made["spec"]["image"] == image
    assert made["metadata"]["labels"] == {"nbgate.dev/requested-by": "admission"}
    assert made["metadata"]["annotations"] == {"nbgate.dev/requested-for": namespace}
    assert "status" not in made
    # the same words at every retry from then on, or events would not aggregate
    server.eventually(
        lambda: UNDER_WAY in message_of(post(control_plane, document)), SECONDS, "the next words"
    )
    result = scan(image)["status"]
    path = f"{SCANS}/{scan_name(image)}/status"
    assert control_plane.request("PUT", path, {**made, "status": result}).status == HTTPStatus.OK
    server.eventually(
        lambda: post(control_plane, document, dry_run=True).status == HTTPStatus.CREATED,
        SECONDS,
        "the result to count",
    )
    counted = server.client.get("/metrics").text
    assert 'nbgate_scan_requests_total{result="asked"}' in counted


@pytest.mark.usefixtures("follows")
def test_an_image_whose_name_another_image_has_is_scanned_under_a_longer_one(
    control_plane: ControlPlane, server: RunningServer, namespace: str
) -> None:
    image, other = an_image(), an_image()
    # Where the hashes of both begin with the same ten digits.
    control_plane.create({**scan(other, name=scan_name(image)), "status": {}})
    document = a_pod(namespace, image)
    server.eventually(
        lambda: UNDER_WAY in message_of(post(control_plane, document)), SECONDS, "its scan"
    )
    longer = control_plane.get(f"{SCANS}/{scan_name(image, digits=20)}")
    assert longer["spec"]["image"] == image
    taken = stored(control_plane, image)
    assert taken is not None
    assert taken["spec"]["image"] == other
    assert image in str(said(server, "a name is taken; the image gets a longer one"))


@pytest.mark.usefixtures("server")
def test_a_notebook_asks_too_and_a_dry_run_never(
    control_plane: ControlPlane, namespace: str
) -> None:
    unseen, image = an_image(), an_image()
    for document in (notebook("nb", namespace, unseen), a_pod(namespace, unseen)):
        post(control_plane, document, dry_run=True)
    assert post(control_plane, notebook("nb", namespace, image)).status == HTTPStatus.CREATED
    wait_for(lambda: stored(control_plane, image), SECONDS, "the ImageScan")
    assert stored(control_plane, unseen) is None


@pytest.mark.usefixtures("follows")
def test_a_failed_scan_says_what_went_wrong(
    control_plane: ControlPlane, server: RunningServer, namespace: str
) -> None:
    image = an_image()
    control_plane.create({**scan(image, name=scan_name(image)), "status": {}})
    made = stored(control_plane, image)
    assert made is not None
    why = {"type": "Scanned", "status": "False", "reason": "Tried", "message": "401 from ghcr.io"}
    now = {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"phase": "Failed", "conditions": [{**why, **now}]}
    path = f"{SCANS}/{scan_name(image)}/status"
    answer = control_plane.request("PUT", path, {**made, "status": status})
    assert answer.status == HTTPStatus.OK, answer.text
    server.eventually(
        lambda: (
            "its last scan failed: 401 from ghcr.io"
            in message_of(post(control_plane, a_pod(namespace, image)))
        ),
        SECONDS,
        "the words",
    )


# -- policies that are wrong -----------------------------------------------------------------------


def apply(plane: ControlPlane, document: Document) -> Ended:
    done = plane.kubectl("apply", "-f", "-", stdin=json.dumps(document), check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("server")
def test_a_wrong_policy_is_refused_when_it_is_applied_with_every_fault(
    control_plane: ControlPlane,
) -> None:
    exemption = {"name": "old", "reason": "x", "expires": "2027-02-28"}
    spec = {
        # what YAML makes of a bare Off; the definition alone would tell of this, and of nothing else
        "unscanned": False,
        "registries": {"allow": ["ghcr.io/**/x", "quay.io"]},
        "exemptions": [exemption],
    }
    ended = apply(control_plane, {**policy(**spec), "metadata": {"name": "default"}})
    assert ended.code == 1
    assert 'admission webhook "first.policies.nbgate.dev" denied the request' in ended.err
    assert 'quote "Off"' in ended.err
    for place in ("spec.registries.allow[0]: ", "spec.registries.allow[1]: ", "spec.exemptions[0]"):
        assert place in ended.err
    assert control_plane.get(POLICIES)["items"] == []


@pytest.mark.usefixtures("server")
def test_one_by_another_name_is_taken_with_a_warning(control_plane: ControlPlane) -> None:
    ended = apply(control_plane, {**policy(unscanned="Warn"), "metadata": {"name": "other"}})
    assert ended.code == 0
    assert "Warning: only the NotebookPolicy default has an effect; this is other" in ended.err
    assert apply(control_plane, {**policy(), "metadata": {"name": "other"}}).code == 0
    control_plane.kubectl("delete", "notebookpolicy", "other")


# -- commands that look once -----------------------------------------------------------------------


@pytest.mark.usefixtures("follows")
def test_commands_read_policy_scans_and_modes_of_the_cluster(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    kubeconfig = str(control_plane.kubeconfig)
    shown = nbgate(
        tmp_path, "policy", "show", "--policy", "cluster", "-o", "json", KUBECONFIG=kubeconfig
    )
    assert (shown.code, shown.err) == (0, "")
    assert shown.json["metadata"] == {"name": "default", "generation": 1}
    assert shown.json["spec"]["pod"]["pinDigest"] is False
    path = tmp_path / "pod.json"
    path.write_text(json.dumps(a_pod(namespace, an_image())))
    flags = ("--policy", "cluster", "--scans", "cluster", "-o", "json")
    denied = nbgate(tmp_path, "review", path, *flags, KUBECONFIG=kubeconfig)
    assert denied.code == 1
    assert ASKED in denied.json[0]["message"]
    control_plane.kubectl("label", "namespace", namespace, "nbgate.dev/mode=audit")
    audited = nbgate(tmp_path, "review", path, *flags, KUBECONFIG=kubeconfig)
    assert (audited.code, audited.json[0]["mode"]) == (0, "audit")


# -- without the API server ------------------------------------------------------------------------


@pytest.mark.usefixtures("follows")
def test_a_replica_that_starts_while_the_api_server_is_away_knows_what_it_knew(
    installation: Installation, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    image = an_image()
    created = scan(image, name=scan_name(image))
    control_plane.create(created)
    made = stored(control_plane, image)
    assert made is not None
    path = f"{SCANS}/{scan_name(image)}/status"
    answer = control_plane.request("PUT", path, {**made, "status": created["status"]})
    assert answer.status == HTTPStatus.OK, answer.text
    kubeconfig = installation.account()
    with RunningServer(tmp_path, *CLUSTER, environment={"KUBECONFIG": str(kubeconfig)}) as before:
        assert allows(before, namespace, image)
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    away = tmp_path / "away.kubeconfig"
    away.write_text(json.dumps(config))
    with RunningServer(tmp_path, *CLUSTER, environment={"KUBECONFIG": str(away)}) as after:
        assert said(after, "serving the certificate of before")
        assert allows(after, namespace, image)
        assert not allows(after, namespace, an_image())
        assert "no answer" in condition(after, "Certificate")["message"]


def allows(server: RunningServer, namespace: str, image: str) -> bool:
    review = recorded("create-pods")
    pod = {**a_pod(namespace, image), "apiVersion": "v1", "kind": "Pod"}
    review["request"] |= {"object": pod, "namespace": namespace}
    allowed: bool = server.review("validate", review)["allowed"]
    return allowed
