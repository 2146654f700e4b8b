"""A list with more bytes than we read comes all the same: a real API server takes another limit with each part."""

from __future__ import annotations

import pytest

from tests.cluster.controlplane import ControlPlane
from webhook.kube import ANSWER_LIMIT, connect
from webhook.kubeerrors import Resource

pytestmark = pytest.mark.cluster

CONFIG_MAPS = Resource(group="", version="v1", name="configmaps")
BIG = 1 << 20  # bytes; an object may have half as much again
MANY = ANSWER_LIMIT // BIG + 4


def test_parts_of_a_list_may_differ_in_size_and_are_one_state(
    control_plane: ControlPlane, namespace: str
) -> None:
    with connect(kubeconfig=str(control_plane.kubeconfig)) as kube:
        for number in range(MANY):
            padding = "x" * (BIG - 1000 if number else 0)
            made = {"metadata": {"name": f"big-{number:02}"}, "data": {"padding": padding}}
            kube.create(CONFIG_MAPS, made, namespace)

        parts: list[int] = []
        names: list[str] = []
        versions: set[str] = set()
        for page in kube.pages(CONFIG_MAPS, namespace, size=2 * MANY):
            if not parts:
                # It belongs to no part: they all tell of the moment of the first.
                kube.create(CONFIG_MAPS, {"metadata": {"name": "later"}}, namespace)
            parts.append(len(page.items))
            names += [one["metadata"]["name"] for one in page.items]
            versions.add(page.version)

    assert [name for name in names if name.startswith("big-")] == [
        f"big-{number:02}" for number in range(MANY)
    ]
    assert "later" not in names
    assert len(versions) == 1
    assert len(set(parts)) > 1
