"""How an installation was made is seen by its controller."""

from __future__ import annotations

import pytest

from tests.cluster.manifests import Document
from tests.doctor.installation import manifests
from webhook.doctor.place import CONTROLLER, Place
from webhook.doctor.recognition import read


def controller(overlay: str = "self-managed") -> Document:
    found = [d for d in manifests(overlay) if d["kind"] == "Deployment"]
    return next(d for d in found if d["metadata"]["name"] == CONTROLLER)


INJECTED = {
    "metadata": {"annotations": {"cert-manager.io/inject-ca-from": "nbgate-system/nbgate-tls"}}
}


@pytest.mark.parametrize(
    ("overlay", "configuration", "what"),
    [
        ("self-managed", None, "logs deployment/nbgate-controller"),
        ("cert-manager", INJECTED, "describe certificate nbgate-tls"),
    ],
)
def test_who_issues_certificates_shows_in_what_is_to_be_typed(
    overlay: str, configuration: Document | None, what: str
) -> None:
    place = read(controller(overlay), configuration, Place(context="prod"))
    manifests = f"'https://github.com/nbgate/nbgate//deploy/overlays/{overlay}?ref=v"
    assert place.install.startswith(f"kubectl --context prod apply -k {manifests}")
    assert what in place.about_certificates


def test_what_a_team_issues_itself_is_the_teams_to_mend() -> None:
    found = controller()
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["args"] = ["controller"]
    container["env"] = [{"name": "NBGATE_CONTROLLER_CERTIFICATES", "value": "none"}]
    place = read(found, {"metadata": {}}, Place())
    assert place.certificates == "own"
    assert "certificates.md#your-own-certificates" in place.about_certificates
    assert place.install.startswith("# apply your manifests")


def test_a_release_is_upgraded_by_helm() -> None:
    found = controller()
    found["metadata"]["annotations"] = {"meta.helm.sh/release-name": "gate"}
    assert read(found, None, Place(context="prod")).install.startswith(
        "helm upgrade gate deploy/chart -n nbgate-system --kube-context prod --reuse-values"
    )


def test_of_what_is_not_there_the_first_way_is_taken() -> None:
    assert read(None, None, Place()) == Place()
