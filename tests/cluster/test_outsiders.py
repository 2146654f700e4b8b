"""Who may write what decisions rest on, asked of a real API server as each who might try.

A tenant administers a namespace of its own. The webhook, the controller and a probe have been broken into: each has a
token of its account, and all that the manifests grant to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.identities import ALICE
from tests.cluster.leadership import our_kinds, post
from tests.cluster.manifests import Document, profile
from tests.deploy.rendering import overlay
from tests.server.documents import scan

pytestmark = pytest.mark.cluster

API = "/apis/nbgate.dev/v1alpha1"
SYSTEM, PROBES, TENANT = "nbgate-system", "nbgate-probes", "outsiders-tenant"
IMAGE = "registry.example.com/outsiders/nb:v1"
HELD = f"{API}/imagescans/outsiders"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
ACCOUNTS = {
    "webhook": (SYSTEM, "nbgate-webhook"),
    "controller": (SYSTEM, "nbgate-controller"),
    "probe": (PROBES, "nbgate-probe"),
}

# What none of them may do, and then what some of them may not, as method and path.
NOBODY = (
    ("POST", f"{API}/notebookpolicies"),
    ("PUT", f"{API}/notebookpolicies/default"),
    ("DELETE", f"{API}/notebookpolicies/default"),
    ("PUT", HELD),
    ("PUT", f"/api/v1/namespaces/{TENANT}"),
    ("DELETE", f"{CONFIGURATIONS}/validatingwebhookconfigurations/nbgate"),
    ("POST", f"{CONFIGURATIONS}/mutatingwebhookconfigurations"),
    ("PUT", f"{CONFIGURATIONS}/validatingwebhookconfigurations/somebody-elses"),
    ("POST", f"{RBAC}/clusterrolebindings"),
    ("GET", "/api/v1/secrets"),
    ("GET", f"/api/v1/namespaces/{SYSTEM}/secrets"),
    ("POST", f"/api/v1/namespaces/{SYSTEM}/pods"),
    ("POST", f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/nbgate-controller/token"),
    ("PUT", f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/nbgate-webhook"),
)  # fmt: skip
RESULTS = (("PUT", f"{HELD}/status"), ("DELETE", HELD))
PROBING = (
    ("POST", f"/api/v1/namespaces/{PROBES}/pods"),
    ("GET", f"/api/v1/namespaces/{PROBES}/pods/x/portforward"),
)
AMONG_TENANTS = (
    ("POST", f"/api/v1/namespaces/{TENANT}/pods"),
    ("PATCH", f"/apis/apps/v1/namespaces/{TENANT}/statefulsets/nb"),
    ("PUT", f"/apis/apps/v1/namespaces/{TENANT}/statefulsets/nb"),
    ("PUT", f"/apis/kubeflow.org/v1/namespaces/{TENANT}/notebooks/nb"),
    ("GET", f"/api/v1/namespaces/{TENANT}/secrets/any"),
)
KEYS = (
    ("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/nbgate-ca"),
    ("PUT", f"/api/v1/namespaces/{SYSTEM}/secrets/nbgate-tls"),
)
CREATION = (("POST", f"{API}/imagescans"),)
FORBIDDEN: Mapping[str, tuple[tuple[str, str], ...]] = {
    "tenant": (*NOBODY, *RESULTS, *PROBING, *KEYS, *CREATION),
    "webhook": (*NOBODY, *RESULTS, *PROBING, *AMONG_TENANTS, *KEYS),
    "controller": (*NOBODY, *AMONG_TENANTS, *CREATION),
    "probe": (*NOBODY, *RESULTS, *PROBING, *AMONG_TENANTS, *KEYS, *CREATION),
}
# The other way round: what each is there to do, so that a token that opens nothing proves nothing.
ALLOWED = {
    "tenant": ("GET", f"/api/v1/namespaces/{TENANT}/secrets"),
    "webhook": ("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/nbgate-tls"),
    "controller": ("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/nbgate-ca"),
}


@contextmanager
def granted(plane: ControlPlane) -> Iterator[None]:
    """Grant what the self-managed installation grants, and let a tenant administer a namespace."""
    made = [
        document for (kind, _, _), document in overlay("self-managed").items() if kind in RIGHTS
    ]
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in (SYSTEM, PROBES)
    ]
    secrets = [d for (kind, _, _), d in overlay("self-managed").items() if kind == "Secret"]
    tenants = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "tenant", "namespace": TENANT},
        "subjects": [{"kind": "User", "name": ALICE.user}],
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "admin",
        },
    }
    plane.create(*namespaces, *profile(TENANT), *made, *secrets, tenants)
    try:
        yield
    finally:
        cluster_wide = [d for d in made if d["kind"].startswith("Cluster")]
        for document in cluster_wide:
            plane.kubectl("delete", document["kind"], document["metadata"]["name"])
        plane.kubectl("delete", "namespace", SYSTEM, PROBES, TENANT)


@pytest.fixture(scope="module")
def tokens(control_plane: ControlPlane) -> Iterator[Mapping[str, str]]:
    """Give what each of them is known by; there is one ImageScan, without a result."""
    with our_kinds(control_plane), granted(control_plane):
        wish = {**scan(IMAGE), "metadata": {"name": "outsiders"}}
        post(control_plane, f"{API}/imagescans", wish)
        yield {
            "tenant": ALICE.token,
            **{who: token_of(control_plane, *place) for who, place in ACCOUNTS.items()},
        }


def token_of(plane: ControlPlane, namespace: str, name: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token: str = post(plane, path, asked)["status"]["token"]
    return token


@pytest.mark.parametrize("who", FORBIDDEN)
def test_what_decisions_rest_on_is_not_theirs_to_write(
    control_plane: ControlPlane, tokens: Mapping[str, str], who: str
) -> None:
    def ask(method: str, path: str) -> int:
        body: Document | None = None if method == "GET" else {"metadata": {"name": "x"}}
        return control_plane.request(method, path, body, token=tokens[who]).status

    got = {place: ask(*place) for place in FORBIDDEN[who]}
    assert {place: code for place, code in got.items() if code != HTTPStatus.FORBIDDEN} == {}
    if who in ALLOWED:
        assert ask(*ALLOWED[who]) == HTTPStatus.OK


def test_a_webhook_that_was_broken_into_makes_wishes_without_a_verdict(
    control_plane: ControlPlane, tokens: Mapping[str, str]
) -> None:
    forged = {**scan("evil.example.com/nb:v1"), "metadata": {"name": "forged"}}
    assert forged["status"]["verdict"] == "Conforms"
    made = control_plane.request("POST", f"{API}/imagescans", forged, token=tokens["webhook"])
    assert made.status == HTTPStatus.CREATED
    assert "status" not in control_plane.get(f"{API}/imagescans/forged")
