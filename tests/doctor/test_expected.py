"""What doctor expects is what deploy/ installs, and what the documents show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import yaml

from tests.cluster.manifests import Document
from tests.doctor.installation import manifests
from tests.pages import blocks, read
from webhook.doctor.expected import MUTATING, VALIDATING, Entry, path_of
from webhook.doctor.expectedrights import Right, forbidden, needed
from webhook.doctor.place import CONFIGURATION, NAMESPACE, PROBE_NAMESPACE, SERVICE, Certificates
from webhook.doctor.workloads import COMPONENTS, REPLICAS

KINDS = {
    "MutatingWebhookConfiguration": MUTATING,
    "ValidatingWebhookConfiguration": VALIDATING,
}


def entries(documents: Sequence[Document], kind: str) -> list[Entry]:
    """The entries of a configuration, without their addresses."""
    (found,) = [document for document in documents if document["kind"] == kind]
    assert found["metadata"]["name"] == CONFIGURATION
    return [{k: v for k, v in hook.items() if k != "clientConfig"} for hook in found["webhooks"]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_entries_are_those_of_the_manifests(kind: str) -> None:
    expected = KINDS[kind]
    assert entries(manifests(), kind) == [*expected]
    (found,) = [document for document in manifests() if document["kind"] == kind]
    service = {"namespace": NAMESPACE, "name": SERVICE, "port": 443}
    assert [hook["clientConfig"] for hook in found["webhooks"]] == [
        {"service": {**service, "path": path_of(entry)}} for entry in expected
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_entries_are_those_of_the_documents(kind: str) -> None:
    shown = [*yaml.safe_load_all(blocks(read("webhooks.md"), "yaml")[0])]
    assert entries(shown, kind) == [*KINDS[kind]]


def granted(overlay: str) -> Iterator[Right]:
    """Every verb on every kind that the overlay's Roles grant, to whom, and where."""
    documents = manifests(overlay)
    roles = {
        (d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]): d["rules"]
        for d in documents
        if d["kind"] in {"Role", "ClusterRole"}
    }
    for binding in documents:
        if not binding["kind"].endswith("RoleBinding"):
            continue
        namespace = binding["metadata"].get("namespace")
        (subject,) = binding["subjects"]
        ref = binding["roleRef"]
        where = namespace if ref["kind"] == "Role" else None
        for rule in roles.pop((ref["kind"], where, ref["name"])):
            yield from rights(rule, subject["name"], namespace or "")
    assert not roles, "a Role that nobody is bound to"


def rights(rule: Document, account: str, namespace: str) -> Iterator[Right]:
    (group,) = rule["apiGroups"]
    for kind in rule["resources"]:
        resource, _, subresource = kind.partition("/")
        for verb in rule["verbs"]:
            for name in rule.get("resourceNames", [""]):
                yield Right(
                    account=account,
                    verb=verb,
                    group=group,
                    resource=resource,
                    subresource=subresource,
                    namespace=namespace,
                    name=name,
                )


@pytest.mark.parametrize(
    ("overlay", "how"), [("self-managed", "self"), ("cert-manager", "cert-manager")]
)
def test_the_rights_are_those_of_the_manifests(overlay: str, how: Certificates) -> None:
    expected = [*needed(NAMESPACE, how)]
    assert len(expected) == len(set(expected))
    assert sorted(map(str, granted(overlay))) == sorted(map(str, expected))
    assert {*granted(overlay)} == {*expected}


def test_nothing_is_both_needed_and_forbidden() -> None:
    assert not {*needed(NAMESPACE, "self")} & {*forbidden(NAMESPACE)}


def test_the_numbers_and_names_are_those_of_the_manifests() -> None:
    found = {d["metadata"]["name"]: d for d in manifests() if d["kind"] == "Deployment"}
    replicas = {name: one["spec"]["replicas"] for name, one in found.items()}
    assert replicas == {COMPONENTS[component]: count for component, count in REPLICAS.items()}
    for component, name in COMPONENTS.items():
        template = found[name]["spec"]["template"]
        assert template["metadata"]["labels"]["app.kubernetes.io/component"] == component
        assert [one["name"] for one in template["spec"]["containers"]] == [component]
    namespaces = {d["metadata"]["name"] for d in manifests() if d["kind"] == "Namespace"}
    assert namespaces == {NAMESPACE, PROBE_NAMESPACE}
