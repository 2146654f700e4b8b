"""The accounts' rights: each is used, nothing else is asked for, and one that is not used has its reason here."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from tests.cluster.controlplane import OWN_NAMESPACE
from tests.cluster.deployed import CONTROLLER, WEBHOOK, Deployed
from tests.cluster.grants import Grant, granted, requests_in
from tests.cluster.manifests import Document
from tests.cluster.story import Story
from tests.cluster.upkeep import Handover, Policies

pytestmark = pytest.mark.cluster

ACCOUNTS = (WEBHOOK, CONTROLLER)
# Rights that no run on this API server can use, each with the reason why they are granted all the same.
UNUSED = {
    Grant(
        account=CONTROLLER,
        verb="create",
        resource="pods/portforward",
        namespace="nbgate-probes",
    ): "API servers ask for it from 1.35 on, older ones for `get`",
}


@pytest.fixture(scope="module")
def events(
    deployed: Deployed, story: Story, policies: Policies, handover: Handover
) -> list[Document]:
    """All that our accounts have asked for, after they had everything to do that there is."""
    assert story.moments["answered"]
    assert policies.status
    assert handover.after
    plane = deployed.node.plane
    return [event for account in ACCOUNTS for event in plane.audit_events_by(account)]


def test_every_right_is_used_but_for_those_with_a_reason(
    deployed: Deployed, events: list[Document]
) -> None:
    asked = set(requests_in(events))
    rights = granted(deployed.manifests)
    unused = {grant for grant in rights if not any(grant.allows(request) for request in asked)}

    assert {str(grant) for grant in unused} == {str(grant) for grant in UNUSED}


def test_nothing_is_asked_for_that_is_not_granted(
    deployed: Deployed, events: list[Document]
) -> None:
    rights = granted(deployed.manifests)
    foreign = {
        str(request)
        for request in requests_in(events)
        if not any(grant.allows(request) for grant in rights)
    }
    refused = [e["requestURI"] for e in events if _code(e) == HTTPStatus.FORBIDDEN]

    assert foreign == set()
    assert refused == []


def test_each_account_has_rights_and_was_seen(deployed: Deployed, events: list[Document]) -> None:
    """The two above would hold for an empty log too."""
    rights = granted(deployed.manifests)
    users = {event["user"]["username"].rpartition(":")[2] for event in events}

    assert {grant.account for grant in rights} == set(ACCOUNTS) == users
    assert len(rights) > 30
    secrets = {g for g in rights if g.resource == "secrets" and g.account == WEBHOOK}
    assert secrets == {
        Grant(
            account=WEBHOOK,
            verb="get",
            resource="secrets",
            namespace=OWN_NAMESPACE,
            name="nbgate-tls",
        )
    }


def _code(event: Document) -> int:
    code: int = event.get("responseStatus", {}).get("code", 0)
    return code
