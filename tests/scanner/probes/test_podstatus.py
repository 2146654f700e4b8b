"""A Pod's status, as kubelets write it, becomes one stage and a clause."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.scanner.probes.podstatus import PodState, read_state


def pod(state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    containers = [] if state is None else [{"ready": False, "state": state}]
    return {"status": {"phase": "Pending", "containerStatuses": containers, **status}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return pod({"waiting": {"reason": reason, "message": message}})


def ended(how: str, code: int, told: str = "", **status: Any) -> dict[str, Any]:
    state = {"terminated": {"reason": how, "exitCode": code, "message": told}}
    return pod(state, **{"phase": "Failed", **status})


def test_a_pod_of_which_nothing_is_known_waits() -> None:
    for unknown in ({}, {"status": None}, {"status": {"containerStatuses": None}}, pod()):
        assert read_state(unknown) == PodState(stage="waiting")


def test_a_pod_that_is_being_made_waits() -> None:
    assert read_state(waiting("ContainerCreating")).stage == "waiting"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled(reason: str) -> None:
    state = read_state(waiting(reason, "not found"))

    assert (state.stage, state.reason) == ("unpullable", "not found")


@pytest.mark.parametrize(
    "reason", ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"]
)
def test_a_container_that_cannot_be_made(reason: str) -> None:
    state = read_state(waiting(reason, "no command specified"))

    assert (state.stage, state.reason) == ("refused", "no command specified")


def test_a_program_that_never_ran_is_refused_and_has_no_exit_code() -> None:
    state = read_state(ended("StartError", 128, 'exec: "/x": no such file'))

    assert state == PodState(stage="refused", reason='exec: "/x": no such file')


def test_a_program_that_failed_has_its_code_and_no_more() -> None:
    assert read_state(ended("Error", 3)) == PodState(stage="exited", exit_code=3)
    assert read_state(ended("Completed", 0)) == PodState(stage="exited", exit_code=0)


def test_a_program_that_the_kernel_killed_for_memory_is_told_so() -> None:
    state = read_state(ended("OOMKilled", 137))

    assert state.exit_code == 137
    assert "memory" in state.reason


def test_a_pod_that_filled_its_disk_ended_by_its_own_doing() -> None:
    message = 'Usage of EmptyDir volume "home" exceeds the limit "1Gi".'
    state = read_state(ended("Error", 137, reason="Evicted", message=message))

    assert state.stage == "exited"
    assert message in state.reason


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("Evicted", "The node was low on resource: memory."),
        ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"),
        ("OutOfcpu", "Pod Node didn't have enough resource: cpu"),
    ],
)
def test_a_pod_that_the_cluster_ended_is_lost(reason: str, message: str) -> None:
    for one in (
        {"status": {"phase": "Failed", "reason": reason, "message": message}},
        ended("Error", 137, reason=reason, message=message),
    ):
        assert read_state(one) == PodState(stage="lost", reason=f"{reason}: {message}")


def test_a_pod_that_no_node_takes_is_told_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    state = read_state(pod(conditions=[{**condition, "message": "0/3 nodes are available"}]))

    assert (state.stage, state.reason) == ("unschedulable", "0/3 nodes are available")


def test_a_server_is_ready_when_the_kubelet_says_so_and_only_while_it_runs() -> None:
    def told(*, ready: bool, state: dict[str, Any]) -> PodState:
        return read_state({"status": {"containerStatuses": [{"ready": ready, "state": state}]}})

    assert told(ready=True, state={"running": {}}).ready
    assert not told(ready=False, state={"running": {}}).ready
    assert not told(ready=True, state={"terminated": {"exitCode": 0}}).ready


def test_messages_of_strangers_are_clean_and_short() -> None:
    reason = read_state(waiting("ErrImagePull", "a\n\x1b[2J" + "x" * 10_000)).reason

    assert reason.isprintable()
    assert len(reason) <= 600
