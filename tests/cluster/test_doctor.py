"""`nbgate doctor` on a real control plane: where nothing is installed, and where parts are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.doctoring import Told, doctor
from tests.cluster.gate import Gate
from tests.cluster.identities import ALICE
from tests.cluster.ports import reserved_ports

pytestmark = pytest.mark.cluster

# The control plane is shared: of these no other test leaves anything in a namespace that nobody uses.
INSTALLED = ("workloads", "service", "webhooks", "rights", "leader")
NOWHERE = ("--namespace", "nowhere")


@pytest.fixture(scope="module")
def bare(control_plane: ControlPlane) -> Told:
    """What it says of a cluster in which nothing is installed."""
    return doctor(control_plane.kubeconfig, *NOWHERE)


def test_nothing_installed_is_wrong(bare: Told) -> None:
    assert bare.code == 1
    assert {name: bare.results[name] for name in INSTALLED} == dict.fromkeys(INSTALLED, "wrong")
    assert (bare.results["api-server"], bare.results["notebooks"]) == ("ok", "ok")


def test_the_cure_of_nothing_installed_is_to_install(bare: Told) -> None:
    (cure,) = set(bare.cures(*INSTALLED))
    assert cure.startswith("kubectl apply -k ")


def test_the_table_tells_the_same(control_plane: ControlPlane, bare: Told) -> None:
    told = doctor(control_plane.kubeconfig, *NOWHERE, output="table")
    assert told.code == 1
    for name, result in bare.results.items():
        assert f"\n{name} " in told.text
        assert result in told.text
    assert all(cure in told.text for cure in bare.cures())
    assert "\x1b" not in told.text


def config_of(plane: ControlPlane, directory: Path, **changes: Any) -> Path:
    """The admin's kubeconfig with another server or user."""
    config = json.loads(Path(plane.kubeconfig).read_text())
    config["clusters"][0]["cluster"].update(changes.get("cluster", {}))
    config["users"][0]["user"].update(changes.get("user", {}))
    written = directory / "kubeconfig"
    written.write_text(json.dumps(config))
    return written


def test_who_may_look_at_nothing_is_told_so_of_each_check(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    told = doctor(config_of(control_plane, tmp_path, user={"token": ALICE.token}))
    assert told.code == 3
    assert {**told.results, "api-server": "unknown"} == dict.fromkeys(told.results, "unknown")
    assert "alice@example.com may not" in told.said("service")


def test_a_cluster_that_is_not_there_cannot_be_examined(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with reserved_ports(1) as (port,):
        server = {"server": f"https://127.0.0.1:{port}"}
        told = doctor(
            config_of(control_plane, tmp_path, cluster=server), complaint="no answer from"
        )
    assert (told.code, told.text) == (3, "")


def test_a_server_in_force_is_seen_to_refuse(gate: Gate, namespace: str) -> None:
    told = doctor(gate.control_plane.kubeconfig, "--profile", namespace)
    assert f"namespace/{namespace}: a notebook's pod" in told.said("dry-run")
    assert "was refused by pods.nbgate.dev" in told.said("dry-run")
    assert "was refused by notebooks.nbgate.dev" in told.said("dry-run")
    assert "not the Service nbgate" in told.said("webhooks")
