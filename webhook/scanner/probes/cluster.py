"""`--probe cluster`: a Pod for each start, in a namespace of its own.

What it does there, as the verbs of Roles. Cluster-wide, and only where the namespace is not there yet:

    namespaces                          get, create

In its namespace, which is enough where somebody has made that (`namespaces` get then fits in a Role too):

    namespaces                          get
    serviceaccounts                     get, create
    networkpolicies.networking.k8s.io   get, create
    pods                                create, get, list, delete
    pods/log                            get
    pods/portforward                    get, create

`create` on pods/portforward is asked for by API servers from Kubernetes 1.35 on, `get` by those before. An account or a
policy that is there needs no `create`.
"""

import math
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from webhook.kube import NAMESPACES, NETWORK_POLICIES, PODS, SERVICE_ACCOUNTS, Document, Kube
from webhook.kubeerrors import (
    Conflict,
    Forbidden,
    KubeError,
    NotFound,
    Refused,
    Resource,
    Unreachable,
)
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes import clusterobjects
from webhook.scanner.probes.ladder import climb
from webhook.scanner.probes.observation import Observation, Run
from webhook.scanner.probes.podstatus import PodState, read_state
from webhook.scanner.probes.probe import NAMESPACE, Target
from webhook.scanner.probes.refusal import image_fault, judged
from webhook.scanner.probes.startedpod import StartedPod
from webhook.scanner.probes.waiting import Patience, watch
from webhook.scanner.progress import Progress

PULL_SECONDS = 900.0  # to be scheduled, pulled and created: 10 GB of CUDA over 100 Mbit/s take 800
_SCHEDULE_SECONDS = 120.0  # for a node to be there: an autoscaler needs one or two minutes
_SPARE = 120  # seconds that the cluster's own deadline is behind ours: asking the last pages, a slow API server
_LOOK_SECONDS = 0.5
_ENDING_LOOK_SECONDS = 0.2
_GONE_SECONDS = 60.0  # for a pod to be gone: two or three are usual
_SWEEP_SPARE = timedelta(minutes=10)  # for clocks that differ, so that nobody's living pod is swept
_NO_COMMAND = "no command specified"  # containerd, pkg/cri/server/container_create.go
_NO_REGISTRY = ("oci:", "docker-archive:", "oci-archive:", "docker-daemon:", "dir:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterProbe:
    """Starts images as Pods of a cluster.

    Attributes:
        namespace: where; made if it is not there, and nothing else should be in it.
        starts: the platform of the nodes that it starts them on.
        pull_secrets: names of Secrets in the namespace, for registries that want credentials.
    """

    kube: Kube
    namespace: str = NAMESPACE
    starts: str = "linux/amd64"
    pull_secrets: Sequence[str] = ()
    pull_seconds: float = PULL_SECONDS
    name: str = "cluster"

    def platform(self) -> str:
        """Tell the platform that it starts."""
        return self.starts

    def observe(self, target: Target, progress: Progress) -> Observation:
        """Start the image up to four times, look at it, remove its pods. Raises ProbeError."""
        if target.image.startswith(_NO_REGISTRY):
            raise ProbeError(
                f"{target.image}: a cluster can only start what a registry has; push it first, or use --probe podman"
            )
        try:
            self._prepare()
        except KubeError as error:
            raise ProbeError(str(error)) from error
        return climb(_Runner(probe=self, target=target, progress=progress))

    def _prepare(self) -> None:
        """Make what pods need, where it is missing, and remove those of scanners that died. Raises KubeError."""
        try:
            self._ensure(NAMESPACES, clusterobjects.namespace(self.namespace), None)
        except Forbidden as error:
            raise ProbeError(
                f"{error}; if it is not there: kubectl create namespace {self.namespace}"
            ) from error
        self._ensure(SERVICE_ACCOUNTS, clusterobjects.service_account(), self.namespace)
        policy = self._ensure(NETWORK_POLICIES, clusterobjects.network_policy(), self.namespace)
        if not clusterobjects.lets_nothing_through(policy):
            raise ProbeError(
                f"NetworkPolicy {clusterobjects.POLICY} in namespace {self.namespace} was changed and may let "
                "strangers' code out; delete it, and the next scan makes it anew"
            )
        self.sweep(datetime.now(UTC))

    def _ensure(self, resource: Resource, wanted: Document, namespace: str | None) -> Document:
        """Give an object; made, if it is not there."""
        name = wanted["metadata"]["name"]
        with suppress(NotFound):
            return self.kube.get(resource, name, namespace)
        try:
            return self.kube.create(resource, wanted, namespace)
        except Conflict:
            return self.kube.get(resource, name, namespace)  # another scanner was quicker

    def sweep(self, now: datetime) -> None:
        """Delete pods that have outlived their deadline: whoever made them has died. Raises KubeError."""
        for pod in self.kube.list(PODS, self.namespace, clusterobjects.LABEL):
            if _is_left(pod, now):
                self._delete(pod["metadata"]["name"], grace=0)

    def _delete(self, name: str, *, grace: int) -> None:
        with suppress(NotFound):
            self.kube.delete(PODS, name, self.namespace, grace=grace)

    @contextmanager
    def started(self, name: str, pod: Document, progress: Progress) -> Iterator[StartedPod]:
        """Hold a pod; afterwards it is gone. Raises KubeError, and ProbeError where it does not go."""
        try:
            self.kube.create(PODS, pod, self.namespace)
        except Unreachable:
            with suppress(KubeError):  # it may have been created without our hearing of it
                self._delete(name, grace=0)
            raise
        try:
            yield StartedPod(self.kube, self.namespace, name, progress)
        except BaseException:
            with suppress(
                KubeError, ProbeError
            ):  # what went wrong before is what people should hear
                self._end(name)
            raise
        self._end(name)

    def _end(self, name: str) -> None:
        """End a pod: wait for the kubelet to say that nothing of it runs, then for it to be gone. Raises ProbeError."""
        deadline = time.monotonic() + _GONE_SECONDS
        self._delete(name, grace=1)
        with suppress(NotFound):
            while time.monotonic() < deadline:
                state = read_state(self.kube.get(PODS, name, self.namespace))
                if state.stage not in {"waiting", "running"}:
                    # Nothing runs; kubelets before 1.22 take ten seconds and more to let the object go.
                    self.kube.delete(PODS, name, self.namespace, grace=0)
                time.sleep(_ENDING_LOOK_SECONDS)
            raise ProbeError(
                f"pod {name} in namespace {self.namespace} does not end; is its node alive? "
                f"Remove it: kubectl delete pod --force -n {self.namespace} {name}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runner:
    """Starts one image; see Runner."""

    probe: ClusterProbe
    target: Target
    progress: Progress

    def run(self, *, home: bool, confined: bool) -> Run:
        """Start it once, in a pod of its own. Raises ProbeError."""
        name = f"nbgate-probe-{secrets.token_hex(4)}"
        prefix = f"/notebook/{self.probe.namespace}/{name}"
        pod = clusterobjects.pod(
            name,
            self.target.image,
            platform=self.target.platform,
            prefix=prefix,
            home=home,
            confined=confined,
            deadline=math.ceil(self.probe.pull_seconds + self.target.timeout) + _SPARE,
            pull_secrets=self.probe.pull_secrets,
        )
        try:
            self.progress.stage("starting a pod")
            with self.probe.started(name, pod, self.progress) as started:
                begun = self._wait_for_start(started)
                if begun.stage == "refused":
                    return _refused(begun.reason, home=home, confined=confined)
                self.progress.stage("waiting for the server")
                patience = Patience(timeout=self.target.timeout)
                run = watch(started, prefix, patience, home=home, confined=confined)
            return judged(run)
        except Refused as error:
            raise ProbeError(
                f"{error}; namespace {self.probe.namespace} must take the pods of probes: make room in its quota, "
                "or name another one"
            ) from error
        except KubeError as error:
            raise ProbeError(str(error)) from error

    def _wait_for_start(self, started: StartedPod) -> PodState:
        """Wait until its process runs, has ended, or could not be started."""
        begin = time.monotonic()
        while (state := started.state()).stage in {"waiting", "unschedulable"}:
            waited = time.monotonic() - begin
            if state.stage == "unschedulable" and waited > _SCHEDULE_SECONDS:
                raise ProbeError(
                    f"no node takes the probe's pod ({state.reason}); add a node for {self.target.platform}, "
                    "or leave that platform out with --platform"
                )
            if waited > self.probe.pull_seconds:
                raise ProbeError(
                    f"{self.target.image} did not start within {self.probe.pull_seconds:g} s "
                    f"({state.reason or 'it is still being pulled'}); scan again when the nodes have it"
                )
            time.sleep(_LOOK_SECONDS)
        if state.stage == "unpullable":
            raise ProbeError(
                f"the cluster cannot pull {self.target.image} ({state.reason}); let its nodes reach the registry, "
                f"or put credentials for it into a Secret of namespace {self.probe.namespace} and name that"
            )
        return state


def _refused(said: str, *, home: bool, confined: bool) -> Run:
    """Give the run of an image that the runtime cannot start. Raises ProbeError where that is not the image's fault."""
    reason = "the image names no program to start" if _NO_COMMAND in said else image_fault(said)
    if reason is None:
        raise ProbeError(f"the cluster could not start the probe's pod ({said}); look at its node")
    return Run(home=home, confined=confined, ending="refused", reason=reason)


def _is_left(pod: Document, now: datetime) -> bool:
    """Tell whether a pod has outlived its deadline, counted from its creation."""
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    deadline = timedelta(seconds=pod["spec"].get("activeDeadlineSeconds") or 0)
    return now > created + deadline + _SWEEP_SPARE
