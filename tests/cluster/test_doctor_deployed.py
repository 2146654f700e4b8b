"""`nbgate doctor` on nbgate as it is really deployed: all is well, and what is broken on purpose is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.deployed import TRIAL, Deployed
from tests.cluster.doctoring import Told, doctor
from tests.cluster.waiting import wait_for

pytestmark = pytest.mark.cluster

# What other tests of the same installation leave behind may be told of there.
CONTENTS = {"scans", "policy", "modes"}
FORGERY = "doctor-forgery"


def examined(deployed: Deployed) -> Told:
    return doctor(deployed.node.plane.kubeconfig, "--profile", TRIAL)


def well(told: Told) -> Told | None:
    """Give it back where all is well but what people did with it."""
    others = {result for name, result in told.results.items() if name not in CONTENTS}
    return told if others == {"ok"} else None


def test_all_is_well(deployed: Deployed) -> None:
    told = wait_for(lambda: well(examined(deployed)), 60, "a doctor who finds nothing")
    assert told.code == 0, told.text
    assert "every entry trusts it" in told.said("certificate")
    assert "was refused by pods.nbgate.dev" in told.said("dry-run")
    assert "was refused by notebooks.nbgate.dev" in told.said("dry-run")
    assert "was refused by first.policies.nbgate.dev" in told.said("dry-run")


@pytest.fixture
def broken(deployed: Deployed) -> Iterator[Deployed]:
    """One entry fails open, and the webhook's account may write verdicts."""
    plane = deployed.node.plane
    role = f"--clusterrole={FORGERY}"
    account = "--serviceaccount=nbgate-system:nbgate-webhook"
    right = ("--verb=update", "--resource=imagescans.nbgate.dev/status")
    plane.kubectl("create", "clusterrole", FORGERY, *right)
    plane.kubectl("create", "clusterrolebinding", FORGERY, role, account)
    _fail(deployed, "Ignore")
    yield deployed
    _fail(deployed, "Fail")
    plane.kubectl("delete", "clusterrole,clusterrolebinding", FORGERY)


def _fail(deployed: Deployed, policy: str) -> None:
    patch = f'[{{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "{policy}"}}]'
    kind = "validatingwebhookconfiguration"
    deployed.node.plane.kubectl("patch", kind, "nbgate", "--type=json", "--patch", patch)


def test_what_is_broken_is_named(broken: Deployed) -> None:
    told = examined(broken)
    assert told.code == 1
    assert "pods.nbgate.dev: failurePolicy is Ignore, in trial" in told.said("webhooks")
    assert "may update imagescans.nbgate.dev/status" in told.said("rights")
    assert {name for name, result in told.results.items() if result == "wrong"} == {"rights"}
