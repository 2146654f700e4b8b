"""The home: an existing mount is kept, a workspace is mounted, else an empty volume that is said to be lost."""

from collections.abc import Iterable

import jsonpatch
import pytest

from tests.core.builders import (
    HOME,
    IMAGE,
    NOTEBOOK,
    Json,
    container,
    pod,
    workspace,
)
from tests.core.deciding import decide, first, only, patched

LOST = "no workspace volume: files in /home/jovyan are lost when the notebook stops"
HOMED = {"name": f"{NOTEBOOK}-workspace", "mountPath": HOME}
EMPTY = {"name": "nbgate-home", "emptyDir": {"sizeLimit": "10Gi"}}


def mounts(source: Json) -> list[Json]:
    return [m for m in first(source)["volumeMounts"] if "serviceaccount" not in m["mountPath"]]


def volumes(source: Json) -> list[Json]:
    return [v for v in source["spec"]["volumes"] if not v["name"].startswith("default-token")]


def homeless(*held: Json, mounted: Iterable[Json] = ()) -> Json:
    source = pod(container())
    source["spec"]["volumes"] += held
    first(source)["volumeMounts"] += mounted
    return source


@pytest.mark.parametrize("path", [HOME, f"{HOME}/"])
def test_an_existing_mount_at_the_home_is_kept(path: str) -> None:
    source = homeless(workspace(), mounted=[{"name": "any", "mountPath": path}])
    decision = decide(source, only(home={}))
    assert decision.patch == ()
    assert decision.warnings == ()


@pytest.mark.parametrize(
    ("held", "mounted", "expected"),
    [
        ([workspace()], [], HOMED),
        ([workspace("w", f"workspace-{NOTEBOOK}")], [], {"name": "w", "mountPath": HOME}),
        ([workspace("w", f"workspace-{NOTEBOOK}"), workspace()], [], HOMED),
        (
            [workspace("w"), workspace()],
            [{"name": "w", "mountPath": "/data"}],
            HOMED,
        ),
        ([workspace()], [{"name": "x", "mountPath": f"{HOME}/work"}], HOMED),
        ([workspace()], [{"name": "x", "mountPath": "/home"}], HOMED),
        ([workspace()], [{"name": "x", "mountPath": f"{HOME}X"}], HOMED),
    ],
)
def test_an_unmounted_workspace_is_mounted(
    held: list[Json], mounted: list[Json], expected: Json
) -> None:
    source = homeless(*held, mounted=mounted)
    decision = decide(source, only(home={}))
    assert decision.warnings == ()
    result = jsonpatch.apply_patch(source, list(decision.patch))
    assert mounts(result) == [*mounted, expected]
    assert volumes(result) == held


@pytest.mark.parametrize(
    ("held", "mounted"),
    [
        ([], []),
        ([workspace("w", "other-workspace")], []),
        ([workspace("w", "workspace")], []),
        ([{"name": f"{NOTEBOOK}-workspace", "emptyDir": {}}], []),
        ([workspace()], [{"name": f"{NOTEBOOK}-workspace", "mountPath": "/data"}]),
    ],
)
def test_without_a_workspace_the_home_is_an_empty_volume_and_said_to_be_lost(
    held: list[Json], mounted: list[Json]
) -> None:
    source = homeless(*held, mounted=mounted)
    decision = decide(source, only(home={}))
    assert decision.warnings == (LOST,)
    assert decision.word == "warned"
    result = jsonpatch.apply_patch(source, list(decision.patch))
    assert volumes(result) == [*held, EMPTY]
    assert mounts(result) == [*mounted, {"name": "nbgate-home", "mountPath": HOME}]


def test_the_empty_volume_takes_a_name_that_is_free() -> None:
    taken: list[Json] = [
        {"name": name, "emptyDir": {}} for name in ("nbgate-home", "nbgate-home-1")
    ]
    result = patched(homeless(*taken), only(home={}))
    assert volumes(result)[-1]["name"] == "nbgate-home-2"
    assert mounts(result) == [{"name": "nbgate-home-2", "mountPath": HOME}]


def test_the_policy_names_path_claim_and_limit() -> None:
    wanted = only(home={"path": "/home/nb", "claim": "{notebook}-data", "sizeLimit": None})
    result = patched(homeless(), wanted)
    assert volumes(result) == [{"name": "nbgate-home", "emptyDir": {}}]
    assert mounts(result) == [{"name": "nbgate-home", "mountPath": "/home/nb"}]
    claimed = patched(homeless(workspace("d", f"{NOTEBOOK}-data")), wanted)
    assert mounts(claimed) == [{"name": "d", "mountPath": "/home/nb"}]


def test_without_a_fallback_nothing_is_mounted_and_nothing_said() -> None:
    decision = decide(homeless(), only(home={"fallback": "None"}))
    assert decision.patch == ()
    assert decision.warnings == ()
    claimed = decide(homeless(workspace()), only(home={"fallback": "None"}))
    assert [operation["value"] for operation in claimed.patch] == [HOMED]


def test_a_pod_without_volumes_and_mounts_gets_both_lists() -> None:
    bare = {"name": NOTEBOOK, "image": IMAGE}
    source = pod(bare, volumes=None)
    result = patched(source, only(home={}))
    assert result["spec"]["volumes"] == [EMPTY]
    assert first(result)["volumeMounts"] == [{"name": "nbgate-home", "mountPath": HOME}]
