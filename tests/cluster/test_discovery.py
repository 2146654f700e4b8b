"""Which Kubernetes is taken, seen on folders of stand-in programs: nothing is started but `--version`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.discovery import (
    Absent,
    ExistingCluster,
    Misconfigured,
    Programs,
    find_kubernetes,
)

ENVTEST = ("etcd", "kube-apiserver", "kubectl")
BUILT = (*ENVTEST, "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


def folder_of(folder: Path, programs: tuple[str, ...], version: str = "v1.33.0") -> Path:
    folder.mkdir()
    for name in programs:
        program = folder / name
        program.write_text(f"#!/bin/sh\necho Kubernetes {version}\n")
        program.chmod(0o755)
    return folder


def environment(tmp_path: Path, **more: Path | str) -> dict[str, str]:
    """A developer's environment whose cache holds a complete build, so that nothing is ever built."""
    cache = folder_of(tmp_path / "cache", BUILT, "v1.20.2")
    base = {"HOME": tmp_path, "PATH": os.environ["PATH"], "NBGATE_KUBERNETES_CACHE": cache, **more}
    return {name: str(value) for name, value in base.items()}


def find(environment: dict[str, str]) -> tuple[ExistingCluster | Programs | Absent, list[str]]:
    said: list[str] = []
    return find_kubernetes(environment, said.append), said


def test_cluster_of_the_developer_comes_first(tmp_path: Path) -> None:
    folder_of(tmp_path / "bin", ("kubectl",))
    assets = folder_of(tmp_path / "assets", ENVTEST)

    found, _ = find(
        environment(tmp_path, KUBECONFIG="a:b", KUBEBUILDER_ASSETS=assets, PATH=tmp_path / "bin")
    )

    assert found == ExistingCluster(kubectl=tmp_path / "bin/kubectl", kubeconfig="a:b")


def test_assets_come_before_the_built_ones_and_may_lack_the_controllers(tmp_path: Path) -> None:
    assets = folder_of(tmp_path / "assets", ENVTEST)

    found, _ = find(environment(tmp_path, KUBEBUILDER_ASSETS=assets))

    assert found == Programs(
        etcd=assets / "etcd",
        apiserver=assets / "kube-apiserver",
        kubectl=assets / "kubectl",
        controller_manager=None,
        version=(1, 33),
    )


def test_built_programs_are_taken_from_the_cache_without_a_word(tmp_path: Path) -> None:
    found, said = find(environment(tmp_path))

    assert isinstance(found, Programs)
    assert found.controller_manager == tmp_path / "cache/kube-controller-manager"
    assert found.version == (1, 20)
    assert said == []


def test_empty_variables_count_as_unset(tmp_path: Path) -> None:
    found, _ = find(environment(tmp_path, KUBECONFIG="", KUBEBUILDER_ASSETS=""))

    assert isinstance(found, Programs)


def test_assets_without_a_needed_program_are_an_error_and_no_reason_to_skip(tmp_path: Path) -> None:
    assets = folder_of(tmp_path / "assets", ("kube-apiserver", "kubectl"))

    with pytest.raises(Misconfigured, match=f"no program etcd in KUBEBUILDER_ASSETS={assets}"):
        find(environment(tmp_path, KUBEBUILDER_ASSETS=assets))


def test_kubeconfig_without_kubectl_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no program kubectl in PATH"):
        find(environment(tmp_path, KUBECONFIG="a", PATH=tmp_path))


def test_program_that_tells_no_version_is_an_error(tmp_path: Path) -> None:
    assets = folder_of(tmp_path / "assets", ENVTEST, version="unknown")

    with pytest.raises(Misconfigured, match="kube-apiserver --version tells no version"):
        find(environment(tmp_path, KUBEBUILDER_ASSETS=assets))
