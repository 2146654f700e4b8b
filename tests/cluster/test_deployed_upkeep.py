"""The policy of a platform team, and what one of the controllers does for all."""

from __future__ import annotations

import pytest

from tests.cluster.upkeep import Handover, Policies

pytestmark = pytest.mark.cluster


def test_a_wrong_policy_is_refused_at_kubectl_apply_with_every_fault(policies: Policies) -> None:
    """The API server's own check by the schema comes first; what no schema can tell, nbgate does."""
    for path in ("spec.unknown", "spec.stale.after"):
        assert path in policies.misspelt
    assert 'admission webhook "first.policies.nbgate.dev" denied the request' in policies.senseless
    for path in ("spec.acceptRewrites", "spec.registries.allow[1]", "spec.exemptions[0].images[0]"):
        assert path in policies.senseless


def test_a_policy_is_in_force_within_seconds_and_says_so(policies: Policies) -> None:
    assert policies.seconds < 5
    assert policies.status["valid"] is True
    assert policies.status["inForce"] is True
    assert policies.status["observedGeneration"] == 1


def test_another_controller_leads_when_the_leader_ends(handover: Handover) -> None:
    assert handover.after != handover.before
    assert handover.seconds < 20
