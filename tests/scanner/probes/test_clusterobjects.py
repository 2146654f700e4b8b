"""The objects of a probe in a cluster hold its pods in, in each of the three starts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webhook.scanner.probes import clusterobjects

STARTS = [(True, True), (True, False), (False, False)]


def pod(*, home: bool = True, confined: bool = True, platform: str = "linux/amd64") -> Any:
    return clusterobjects.pod(
        "one",
        f"registry.example.com/a@sha256:{'0' * 64}",
        platform=platform,
        prefix="/notebook/a/one",
        home=home,
        confined=confined,
        deadline=60,
        pull_secrets=("pull",),
    )


@pytest.mark.parametrize(("home", "confined"), STARTS)
def test_every_start_is_without_token_root_privileges_and_end(
    *, home: bool, confined: bool
) -> None:
    spec = pod(home=home, confined=confined)["spec"]
    [container] = spec["containers"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == 60
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 1000
    assert container["env"] == [{"name": "NB_PREFIX", "value": "/notebook/a/one"}]
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "tolerations"} & spec.keys()
    assert "privileged" not in json.dumps(spec)
    assert all(volume.keys() == {"name", "emptyDir"} for volume in spec["volumes"])
    for amounts in container["resources"].values():
        assert {"cpu", "memory", "ephemeral-storage"} <= amounts.keys()


def test_only_the_confined_start_drops_what_kubeflow_leaves() -> None:
    [confined] = pod()["spec"]["containers"]
    [as_kubeflow] = pod(confined=False)["spec"]["containers"]

    assert confined["securityContext"]["allowPrivilegeEscalation"] is False
    assert confined["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "securityContext" not in as_kubeflow


def test_the_home_is_an_empty_volume_with_a_limit_or_none() -> None:
    assert "sizeLimit" in pod()["spec"]["volumes"][0]["emptyDir"]
    assert pod()["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] == "/home/jovyan"
    without = pod(home=False)["spec"]
    assert without["volumes"] == without["containers"][0]["volumeMounts"] == []


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/arm64/v8"])
def test_it_goes_to_nodes_of_its_platform(platform: str) -> None:
    assert pod(platform=platform)["spec"]["nodeSelector"] == {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "arm64",
    }


def test_nothing_on_it_makes_it_a_notebook() -> None:
    metadata = pod()["metadata"]

    assert not any("notebook" in key for key in metadata["labels"])
    assert "annotations" not in metadata


def test_a_policy_that_was_opened_is_recognised() -> None:
    ours = clusterobjects.network_policy()
    assert clusterobjects.lets_nothing_through(ours)
    # Some API servers give lists back that were not there.
    assert clusterobjects.lets_nothing_through({"spec": {**ours["spec"], "ingress": []}})

    changes: list[dict[str, Any]] = [
        {"egress": [{}]},
        {"policyTypes": ["Ingress"]},
        {"podSelector": {"matchLabels": {"a": "b"}}},
    ]
    for change in changes:
        assert not clusterobjects.lets_nothing_through({"spec": {**ours["spec"], **change}})
    assert not clusterobjects.lets_nothing_through({})
