from __future__ import annotations

from tests.cluster import webhooks


def test_no_two_webhooks_share_a_name_and_so_an_audit_annotation() -> None:
    mutating, validating = webhooks.mutating(8443, b""), webhooks.validating(8443, b"")

    names = [webhook["name"] for webhook in mutating["webhooks"] + validating["webhooks"]]

    assert len(names) == len(set(names)) == 4


def test_mutation_follows_kubeflows_and_istios() -> None:
    before = ["admission-webhook-mutating-webhook-configuration", "istio-sidecar-injector"]

    assert max([*before, webhooks.NAME]) == webhooks.NAME
