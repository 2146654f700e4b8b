"""nbgate installed by one command: a notebook with an unknown image starts by itself once the image was found to work.

One with an image that does not is refused, and its owner is told where they look.
"""

from __future__ import annotations

import re

import pytest

from tests.cluster.deployed import CONTROLLER, REPLICAS, WEBHOOK, Deployed
from tests.cluster.gate import container, env
from tests.cluster.manifests import Document
from tests.cluster.story import BAD, GOOD, NAMESPACE, Story
from webhook.core.requirements import REQUIREMENTS

pytestmark = pytest.mark.cluster

PREFIX = f"/notebook/{NAMESPACE}/{GOOD}"


def said(events: list[Document], reason: str) -> list[str]:
    return [event["message"] for event in events if event["reason"] == reason]


def test_one_command_installs_it(deployed: Deployed) -> None:
    """From the command to the first refusal in nbgate's own words; the image is on its way from the registry too."""
    assert deployed.seconds < 120
    assert deployed.restarts == 0
    for deployment in (WEBHOOK, CONTROLLER):
        assert len(deployed.pods(deployment)) == REPLICAS[deployment]


def test_the_spawner_is_warned_that_the_image_has_no_scan_yet(story: Story) -> None:
    for name in (GOOD, BAD):
        warning = f"{story.images[name][-20:]}: its scan is asked for: the notebook starts when"
        assert warning in story.spawner


def test_an_unscanned_image_is_refused_and_the_refusal_says_that_a_scan_is_under_way(
    story: Story,
) -> None:
    # A later one may miss the digest: where one replica patched that had not heard of the result, and another judged.
    told = said(story.events(GOOD, "StatefulSet"), "FailedCreate")
    refusals = [message for message in told if "[unscanned]" in message]
    for refusal in refusals:
        assert 'admission webhook "pods.nbgate.dev" denied the request' in refusal
        assert f"image {story.images[GOOD]} is not admitted: [unscanned] its scan is " in refusal
        assert "the notebook starts when the scan is done" in refusal
    # The first of all only says that it is asked for.
    assert any("its scan is under way" in refusal for refusal in refusals)
    assert said(story.events(GOOD, "Notebook"), "ScanPending")


def test_the_controller_scans_it_by_starting_it(story: Story) -> None:
    status = story.scan(GOOD)["status"]
    assert (status["phase"], status["verdict"], status["serving"]) == (
        "Complete",
        "Conforms",
        "Prefix",
    )
    checks = {check["requirement"]: check for check in status["checks"]}
    assert set(checks) == set(REQUIREMENTS)
    assert {check["result"] for check in checks.values()} == {"Pass"}
    assert checks["empty-home"]["evidence"] == "Probe"
    assert "claim" not in status


def test_the_notebook_starts_by_itself_soon_after_the_verdict(story: Story) -> None:
    assert story.moments["answered"] - story.moments["verdict"] < 15
    assert story.answer.status_code == 200
    assert story.answer.url.path.startswith(f"{PREFIX}/")


def test_the_owner_reads_on_the_notebook_that_it_starts(story: Story) -> None:
    told = said(story.events(GOOD, "Notebook"), "ImageConforms")
    assert told == [f"the image {story.images[GOOD]} works as a notebook: starting"]


def test_what_started_was_patched(story: Story) -> None:
    made = container(story.pod, GOOD)
    digest = story.scan(GOOD)["status"]["digest"]
    assert made["image"] == f"{story.images[GOOD]}@{digest}"
    assert env(made)["NB_PREFIX"] == PREFIX
    assert made["securityContext"]["runAsUser"] == 1000
    assert made["securityContext"]["runAsNonRoot"] is True
    [home] = [m for m in made["volumeMounts"] if m["mountPath"] == "/home/jovyan"]
    [volume] = [v for v in story.pod["spec"]["volumes"] if v["name"] == home["name"]]
    assert "emptyDir" in volume


def test_a_violating_image_is_refused_and_the_owner_reads_why_on_the_notebook(story: Story) -> None:
    refusals = said(story.events(BAD, "StatefulSet"), "FailedCreate")
    assert any("[uid-1000]" in refusal for refusal in refusals)
    # More than one where replicas had not all heard of the result: the image then stands without its digest.
    told = said(story.events(BAD, "Notebook"), "NotebookRefused")
    reason = "does not work as a notebook: [uid-1000] user jovyan has UID 1001"
    assert any(
        message.startswith(f"image {story.images[BAD]}@sha256:") and reason in message
        for message in told
    )
    assert not any("admission webhook" in message for message in told)


def test_kubectl_get_imagescans_tells_the_story(story: Story) -> None:
    told = story.deployed.node.plane.kubectl("get", "imagescans").stdout
    head, *rows = [re.split(r"\s{2,}", line.strip()) for line in told.splitlines()]
    assert head == ["NAME", "IMAGE", "PHASE", "VERDICT", "SERVING", "AGE"]
    found = {row[1]: row[2:5] for row in rows}
    assert found[story.images[GOOD]] == ["Complete", "Conforms", "Prefix"]
    assert found[story.images[BAD]][:2] == ["Complete", "Violates"]
