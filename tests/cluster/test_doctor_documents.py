"""What install.md, uninstall.md and troubleshooting.md give to type works when it is typed."""

from __future__ import annotations

import re

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.doctoring import typed
from tests.cluster.manifests import notebook
from tests.cluster.orphaned import orphaned
from tests.pages import blocks, read

pytestmark = pytest.mark.cluster

MODE = "nbgate.dev/mode"


def shown(page: str, piece: str) -> str:
    """The one block of a page with this piece."""
    (found,) = [text for text in blocks(read(page), "sh") if piece in text]
    return found


def mode_of(plane: ControlPlane, namespace: str) -> str | None:
    labels = plane.get(f"/api/v1/namespaces/{namespace}")["metadata"]["labels"]
    found: str | None = labels.get(MODE)
    return found


def test_a_trial_goes_from_audit_to_warn_to_deny(
    control_plane: ControlPlane, namespace: str
) -> None:
    typed(control_plane, shown("install.md", "mode=audit"))
    assert mode_of(control_plane, namespace) == "audit"
    warn, deny = shown("install.md", "mode=warn").replace("NAMESPACE", namespace).splitlines()
    typed(control_plane, warn)
    assert mode_of(control_plane, namespace) == "warn"
    typed(control_plane, deny)
    assert mode_of(control_plane, namespace) is None
    typed(control_plane, shown("install.md", "mode=audit"))
    typed(control_plane, shown("uninstall.md", f"{MODE}-"))
    assert mode_of(control_plane, namespace) is None


def test_images_in_use_are_listed_one_a_line(control_plane: ControlPlane, namespace: str) -> None:
    images = [f"registry.example.com/{namespace}/nb:{tag}" for tag in ("1", "2")]
    control_plane.create(
        *(notebook(f"nb-{n}", namespace, image) for n, image in enumerate([*images, images[0]]))
    )
    listing, _, scan = shown("install.md", "get notebooks").partition("| nbgate scan")
    assert "--save cluster -" in scan
    lines = typed(control_plane, listing).splitlines()
    assert [line for line in lines if namespace in line] == images


def test_the_first_step_of_an_uninstall_takes_both_configurations(
    control_plane: ControlPlane, namespace: str
) -> None:
    with orphaned(control_plane, namespace):
        typed(control_plane, shown("uninstall.md", "delete validatingwebhookconfiguration"))
        kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations"
        assert not control_plane.kubectl("get", kinds, "-o", "name").stdout


@pytest.fixture
def secret(control_plane: ControlPlane, namespace: str) -> str:
    """A Secret like nbgate's in some namespace; give the way to it."""
    meta = {"name": "nbgate-tls", "namespace": namespace}
    control_plane.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"tls.crt": "eA=="}}
    )
    return f"/api/v1/namespaces/{namespace}/secrets/nbgate-tls"


def test_a_secret_is_emptied_and_stays(
    control_plane: ControlPlane, namespace: str, secret: str
) -> None:
    (command,) = re.findall(
        r"`(kubectl [^`]*patch secret nbgate-tls [^`]*)`", read("troubleshooting.md")
    )
    typed(control_plane, command.replace("-n nbgate-system", f"-n {namespace}"))
    assert not control_plane.get(secret).get("data")


def test_modes_are_listed(control_plane: ControlPlane, namespace: str) -> None:
    (command,) = re.findall(r"`(kubectl get namespace -L [^`]*)`", read("troubleshooting.md"))
    control_plane.kubectl("label", "namespace", namespace, f"{MODE}=warn")
    lines = typed(control_plane, command).splitlines()
    assert [line.split()[-1] for line in lines if namespace in line] == ["warn"]
