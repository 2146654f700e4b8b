"""`--probe cluster` on a real node: what images do is what is told of them, and nothing of a probe is left.

That nothing gets out of a probe's pod cannot be shown here: the network of the tests' node knows no NetworkPolicies.
The policy itself is looked at.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.manifests import Document
from tests.cluster.node import Node
from tests.cluster.waiting import wait_for
from tests.images.compiling import compiled
from tests.images.scratchimage import push_scratch_image
from tests.scanner.probes.targets import pulled_by_nodes
from webhook.kube import PODS, Kube, connect
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes import clusterobjects
from webhook.scanner.probes.cluster import ClusterProbe
from webhook.scanner.probes.observation import Observation, Run
from webhook.scanner.probes.probe import NAMESPACE, Target
from webhook.scanner.progress import Silent

pytestmark = pytest.mark.cluster

SERVER = Path(__file__).parent.parent / "images/server/server.c"
TIMEOUT = (
    8.0  # seconds for a server to answer; each answers within two, or sleeps for longer on purpose
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(SERVER, tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def kube(node_cluster: Node) -> Iterator[Kube]:
    with connect(kubeconfig=str(node_cluster.plane.kubeconfig)) as found:
        yield found


@dataclass(slots=True)
class Watched:
    """Progress that keeps what it was told, and does something at a stage."""

    stages: list[str] = field(default_factory=list)
    at: dict[str, Callable[[], None]] = field(default_factory=dict)

    def stage(self, text: str) -> None:
        self.stages.append(text)
        self.at.pop(text, lambda: None)()

    def expect(self, size: int) -> None:
        """No layers are read here."""

    def advance(self, size: int) -> None:
        """No layers are read here."""


def pushed(
    node: Node, program: Path, arguments: Sequence[str] = (), *, files: dict[str, str] | None = None
) -> Target:
    """Push an image of the tests' server; give what a probe is to start."""
    name = f"probed-{secrets.token_hex(4)}"
    digest = push_scratch_image(node.registry, name, program, arguments, files=files)
    image = f"{node.registry.host}/{name}@{digest}"
    return pulled_by_nodes(image, TIMEOUT)


# What the tests' server is told, by the name of the image; see its own words.
TOLD: dict[str, Sequence[str]] = {
    "conforming": ("--write", "/home/jovyan/written"),
    "root-only": ("--serve", "root"),
    "loopback-only": ("--listen", "127.0.0.1"),
    "crashing": ("--exit", "7"),
    "slow": ("--delay", "4"),
    "homesick": ("--need", "/home/jovyan/settings"),
    "needs-root": ("--need-root",),
    "greedy": ("--eat",),
    "flooding": ("--flood",),
}
PATIENCE = {
    "greedy": 60.0
}  # it takes its time to use two gigabytes, and would be told from a silent one by that
AT_ONCE = 5  # the machine has few cores, and servers should answer in time


@pytest.fixture(scope="module")
def seen(node_cluster: Node, kube: Kube, server: Path) -> dict[str, Observation]:
    """Probes of all these images, several at once."""
    files = {"home/jovyan/settings": "kept"}
    targets = [
        replace(
            pushed(node_cluster, server, told, files=files), timeout=PATIENCE.get(name, TIMEOUT)
        )
        for name, told in TOLD.items()
    ]
    probe = ClusterProbe(kube=kube)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        observations = threads.map(lambda target: probe.observe(target, Silent()), targets)
    return dict(zip(TOLD, observations, strict=True))


def pods(node: Node, namespace: str = NAMESPACE) -> list[str]:
    found = node.plane.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return [pod["metadata"]["name"] for pod in found]


def starts(observation: Observation) -> list[tuple[str, bool, bool]]:
    return [(run.ending, run.home, run.confined) for run in observation.runs]


def answering(observation: Observation) -> Run:
    run = observation.answered
    assert run is not None, observation
    return run


def test_a_conforming_image_answers_in_its_first_start(seen: dict[str, Observation]) -> None:
    run = answering(seen["conforming"])

    assert starts(seen["conforming"]) == [("answered", True, True)]
    assert run.prefix
    assert (run.prefix.status, run.prefix.allow_origin) == (200, "*")
    assert run.prefix.asked.startswith(f"/notebook/{NAMESPACE}/nbgate-probe-")
    assert run.root
    assert run.root.status == 404
    assert run.log == ("server: listening on 0.0.0.0:8888 as user 1000",)
    assert not run.loopback


def test_a_server_at_its_root_only_is_seen_there_with_the_headers_that_it_sends(
    seen: dict[str, Observation],
) -> None:
    run = answering(seen["root-only"])

    assert run.prefix
    assert run.root
    assert (run.prefix.status, run.root.status, run.root.allow_origin) == (404, 200, None)
    assert run.rewritten
    assert run.rewritten.good


def test_a_server_that_listens_on_its_loopback_address_only_does_not_answer(
    seen: dict[str, Observation],
) -> None:
    runs = seen["loopback-only"].runs

    assert [run.ending for run in runs] == ["silent"] * 3
    assert all(run.loopback for run in runs)
    assert all(run.seconds < 30 for run in runs)


def test_a_program_that_ends_is_seen_with_its_code_and_last_words(
    seen: dict[str, Observation],
) -> None:
    runs = seen["crashing"].runs

    assert starts(seen["crashing"]) == [
        ("exited", True, True),
        ("exited", True, False),
        ("exited", False, False),
    ]
    assert {run.exit_code for run in runs} == {7}
    assert {run.log for run in runs} == {("server: ending as told",)}


def test_a_slow_starter_is_waited_for(seen: dict[str, Observation]) -> None:
    run = answering(seen["slow"])

    assert run.confined
    assert run.seconds > 2


def test_a_program_that_an_empty_home_kills_answers_without_one(
    seen: dict[str, Observation],
) -> None:
    assert starts(seen["homesick"])[-1] == ("answered", False, False)
    assert [run.exit_code for run in seen["homesick"].runs] == [3, 3, None]


def test_nothing_runs_as_root(seen: dict[str, Observation]) -> None:
    assert {run.exit_code for run in seen["needs-root"].runs} == {4}


def test_memory_has_a_limit_and_its_end_is_named(seen: dict[str, Observation]) -> None:
    run = seen["greedy"].runs[0]

    assert (run.ending, run.exit_code) == ("exited", 137)
    assert run.reason == "killed for using more memory than the limit"


def test_a_body_without_an_end_is_not_read(seen: dict[str, Observation]) -> None:
    run = answering(seen["flooding"])

    assert run.prefix
    assert run.prefix.good


def test_a_program_that_cannot_be_started_is_the_images_fault(
    node_cluster: Node, kube: Kube, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/shell\n")

    seen = ClusterProbe(kube=kube).observe(pushed(node_cluster, broken), Silent())

    assert {run.ending for run in seen.runs} == {"refused"}
    assert "no such file or directory" in seen.runs[0].reason
    assert pods(node_cluster) == []


def test_an_image_that_is_not_there_says_nothing_of_the_image(
    node_cluster: Node, kube: Kube
) -> None:
    image = f"{node_cluster.registry.host}/absent@sha256:{'0' * 64}"

    with pytest.raises(ProbeError, match=r"the cluster cannot pull .*not found.*Secret"):
        ClusterProbe(kube=kube).observe(pulled_by_nodes(image, TIMEOUT), Silent())

    wait_for(lambda: pods(node_cluster) == [], 20, "the pod to be gone")


def test_what_no_registry_has_is_refused_at_once(kube: Kube) -> None:
    target = pulled_by_nodes("oci:/images/notebook:latest", TIMEOUT)

    with pytest.raises(ProbeError, match="push it first"):
        ClusterProbe(kube=kube).observe(target, Silent())


def running_pod(node: Node) -> Document:
    [found] = node.plane.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    pod: Document = found
    return pod


def test_the_pod_is_closed_in_and_the_namespace_guards_it(
    node_cluster: Node, kube: Kube, server: Path
) -> None:
    seen: list[Document] = []
    watched = Watched(at={"waiting for the server": lambda: seen.append(running_pod(node_cluster))})

    ClusterProbe(kube=kube).observe(pushed(node_cluster, server), watched)

    [pod] = seen
    spec, [container] = pod["spec"], pod["spec"]["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert [volume["name"] for volume in spec["volumes"]] == ["home"]
    assert spec["activeDeadlineSeconds"] > TIMEOUT
    assert spec["securityContext"] == {
        "fsGroup": 100,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    assert not any("notebook" in key for key in pod["metadata"]["labels"])
    labels = node_cluster.plane.get(f"/api/v1/namespaces/{NAMESPACE}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    policies = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/nbgate-probe"
    policy = node_cluster.plane.get(policies)["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert not {"ingress", "egress"} & policy.keys()
    assert policy["podSelector"]["matchExpressions"][0]["key"] in pod["metadata"]["labels"]


def test_a_policy_that_somebody_opened_stops_the_probe(
    node_cluster: Node, kube: Kube, server: Path
) -> None:
    target = pushed(node_cluster, server)
    ClusterProbe(kube=kube).observe(target, Silent())
    opened = json.dumps({"spec": {"egress": [{}]}})
    change = ("--namespace", NAMESPACE, "networkpolicy", "nbgate-probe")
    node_cluster.plane.kubectl("patch", *change, "--type=merge", "--patch", opened)

    with pytest.raises(ProbeError, match="was changed and may let"):
        ClusterProbe(kube=kube).observe(target, Silent())

    node_cluster.plane.kubectl("delete", *change)
    assert ClusterProbe(kube=kube).observe(target, Silent()).answered


@pytest.mark.usefixtures("seen")
def test_of_many_probes_at_once_nothing_is_left(node_cluster: Node) -> None:
    assert pods(node_cluster) == []


class Interrupted(BaseException):
    """What a signal raises in the middle of a probe."""


def interrupt() -> None:
    raise Interrupted


def test_an_interrupted_probe_leaves_no_pod(node_cluster: Node, kube: Kube, server: Path) -> None:
    watched = Watched(at={"waiting for the server": interrupt})

    with pytest.raises(Interrupted):
        ClusterProbe(kube=kube).observe(
            pushed(node_cluster, server, ["--serve", "nothing"]), watched
        )

    wait_for(lambda: pods(node_cluster) == [], 20, "the pod to be gone")


def test_pods_of_dead_scanners_are_swept_and_those_of_living_ones_are_not(
    node_cluster: Node, kube: Kube, server: Path
) -> None:
    target = pushed(node_cluster, server)
    probe = ClusterProbe(kube=kube)
    probe.observe(target, Silent())
    make = partial(
        clusterobjects.pod,
        image=target.image,
        platform=target.platform,
        prefix="/notebook/a/b",
        home=False,
        confined=True,
        pull_secrets=(),
    )
    # A creation cannot be dated back; a clock that is eleven minutes ahead comes to the same.
    kube.create(PODS, make("dead", deadline=1), NAMESPACE)
    kube.create(PODS, make("living", deadline=3600), NAMESPACE)

    probe.sweep(datetime.now(UTC) + timedelta(minutes=11))

    assert pods(node_cluster) == ["living"]
    kube.delete(PODS, "living", NAMESPACE, grace=0)


def test_the_cluster_itself_ends_a_pod_whose_scanner_died(
    node_cluster: Node, kube: Kube, server: Path
) -> None:
    target = pushed(node_cluster, server)
    pod = clusterobjects.pod(
        "abandoned",
        target.image,
        platform=target.platform,
        prefix="/notebook/a/b",
        home=False,
        confined=True,
        deadline=3,
        pull_secrets=(),
    )
    kube.create(PODS, pod, NAMESPACE)

    wait_for(
        lambda: (
            kube.get(PODS, "abandoned", NAMESPACE)["status"].get("reason") == "DeadlineExceeded"
        ),
        30,
        "the cluster to end it",
    )

    kube.delete(PODS, "abandoned", NAMESPACE, grace=0)
