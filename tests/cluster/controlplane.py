"""A Kubernetes control plane of the tests' own: etcd, kube-apiserver and kube-controller-manager.

There is no node, so pods are created, admitted and stay Pending; StatefulSets are real, and so are
their controller's refusals and retries.
"""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.cluster import commands
from tests.cluster.cluster import Cluster
from tests.cluster.component import Component
from tests.cluster.discovery import Programs
from tests.cluster.identities import ADMIN, ALICE, token_file
from tests.cluster.manifests import Document
from tests.cluster.network import Network
from tests.cluster.ports import reserved_ports
from tests.cluster.waiting import wait_for

START_SECONDS = 60  # for one server; about 4 are usual, more on a busy machine
REQUEST_SECONDS = 30  # for one answer, of which a webhook may take at most 10
ANSWER_BYTES = 64 << 20  # no list of a test is near it

AUDITED = [
    {"group": "", "resources": ["pods", "pods/ephemeralcontainers"]},
    {"group": "kubeflow.org", "resources": ["notebooks"]},
]
OWN_NAMESPACE = "nbgate-system"  # all that the service accounts there ask for is audited


class RequestRefused(Exception):
    """The API server answered a request with an error; tells the request and the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The API server's answer to one request."""

    status: int
    text: str

    @property
    def document(self) -> Document:
        """Its JSON: an object, or a Status that tells what is wrong."""
        document: Document = json.loads(self.text)
        return document


class ControlPlane(Cluster):
    """A control plane that runs while its context is open; files and logs are in `directory`.

    Attributes, once it is open: `url`; `etcd_url`; `kubeconfig` (the admin's); `audit_log`; `certificate`, to
    verify the API server with; `runs_controllers`, whether StatefulSets come to life.
    """

    url: str
    etcd_url: str
    audit_log: Path
    certificate: Path

    def __init__(
        self,
        programs: Programs,
        directory: Path,
        *,
        network: Network | None = None,
        apiserver_flags: Sequence[str] = (),
    ) -> None:
        super().__init__(
            programs.kubectl,
            directory / "kubeconfig",
            f"--cache-dir={directory / 'kubectl-cache'}",
        )
        self.runs_controllers = programs.controller_manager is not None
        self.directory = directory
        self.programs = programs
        self._network = network
        self._apiserver_flags = apiserver_flags
        self._components: list[Component] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            ports = stack.enter_context(reserved_ports(3))
            settings = commands.Settings(
                programs=self.programs,
                directory=self.directory,
                address=self._network.address if self._network else "127.0.0.1",
                secure_port=ports[0],
                etcd_port=ports[1],
                etcd_peer_port=ports[2],
            )
            self.url, self.certificate = settings.url, settings.certificate
            self.etcd_url = settings.etcd_url
            self.audit_log = settings.audit_log
            stack.callback(shutil.rmtree, settings.etcd_data, ignore_errors=True)
            self._stack = stack
            self._start(settings)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str, command: Sequence[str | Path]) -> Component:
        """Start one more server beside the others, watched with them and ended before them."""
        placed = self._network.inside(command) if self._network else command
        component = self._stack.enter_context(Component(name, placed, self.directory))
        self._components.append(component)
        return component

    def check(self) -> None:
        """Raise ComponentEnded, with the end of its log, for a server that does not run any more."""
        for component in self._components:
            component.check()

    def request(
        self, method: str, path: str, body: Document | None = None, *, token: str = ADMIN.token
    ) -> Answer:
        """Send one request to the API server and return its answer, also when that is an error.

        Raises ComponentEnded where a server has ended, else OSError where nothing answers.
        """
        self.check()
        connection = http.client.HTTPSConnection(
            self.url.removeprefix("https://"),
            context=ssl.create_default_context(cafile=self.certificate),
            timeout=REQUEST_SECONDS,
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            return Answer(status=response.status, text=response.read(ANSWER_BYTES).decode())
        finally:
            connection.close()

    def get(self, path: str, token: str = ADMIN.token) -> Document:
        """Return the object or list at a path of the API, as the token's user.

        Raises RequestRefused where the API server does not answer with success.
        """
        answer = self.request("GET", path, token=token)
        if answer.status != http.client.OK:
            raise RequestRefused(f"GET {path} as {token}: {answer.status} {answer.text}")
        return answer.document

    def audit_events(self, namespace: str | None = None) -> list[Document]:
        """Return the API server's audit events so far, for pods and Notebooks, at level Metadata.

        Of one namespace, where it is given. An event is written when its request has been answered, so
        it may follow the answer a little later: wait for it.
        """
        resources = {"pods", "notebooks"}
        return [
            event
            for event in self._all_audit_events()
            if (place := event.get("objectRef", {})).get("resource") in resources
            and namespace in {None, place.get("namespace")}
        ]

    def audit_events_by(self, account: str) -> list[Document]:
        """Return the API server's audit events so far, of all that a service account of OWN_NAMESPACE asked for."""
        name = f"system:serviceaccount:{OWN_NAMESPACE}:{account}"
        return [event for event in self._all_audit_events() if event["user"]["username"] == name]

    def component(self, name: str) -> Component:
        """Return one of the servers, such as `etcd`."""
        return next(component for component in self._components if component.name == name)

    def _all_audit_events(self) -> list[Document]:
        if not self.audit_log.exists():
            return []
        *lines, _unfinished = self.audit_log.read_text().split("\n")
        return [json.loads(line) for line in lines]

    def _start(self, settings: commands.Settings) -> None:
        _write_files(settings)
        self.start("etcd", commands.etcd(settings))
        self.start("kube-apiserver", commands.apiserver(settings, self._apiserver_flags))
        wait_for(
            lambda: self.request("GET", "/readyz").text == "ok",
            START_SECONDS,
            "a ready kube-apiserver",
            ignoring=(OSError,),
        )
        if settings.programs.controller_manager:
            command = commands.controller_manager(settings, settings.programs.controller_manager)
            self.start("kube-controller-manager", command)
            # The last thing that a first pod needs, and made by two of the controllers.
            wait_for(
                lambda: self.admits_pods_of("default", "default"),
                START_SECONDS,
                "kube-controller-manager to make the first service account",
                ignoring=(RequestRefused,),
            )


def _write_files(settings: commands.Settings) -> None:
    settings.tokens.write_text(token_file(ADMIN, ALICE))
    settings.service_account_key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    settings.audit_policy.write_text(json.dumps(_audit_policy()))
    settings.kubeconfig.write_text(json.dumps(_kubeconfig(settings)))


def _audit_policy() -> Document:
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{OWN_NAMESPACE}"]},
            {"level": "Metadata", "resources": AUDITED},
            {"level": "None"},
        ],
    }


def _kubeconfig(settings: commands.Settings) -> Document:
    name = "nbgate-tests"
    cluster = {"server": settings.url, "certificate-authority": str(settings.certificate)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": ADMIN.token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
