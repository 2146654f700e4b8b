"""The documents about a cluster name what is there: overlays, flags, values, objects; and what they patch applies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
import jsonpatch
import pytest
import yaml

from tests.doctor.installation import DEPLOY, manifests
from tests.pages import DOCS, blocks, prose, read
from webhook import __version__
from webhook.cli.controller import command as controller
from webhook.cli.doctor import command as doctor
from webhook.core.policy import read_policy
from webhook.doctor.differences import differences
from webhook.doctor.expected import VALIDATING

PAGES = (
    "install.md",
    "upgrade.md",
    "uninstall.md",
    "break-glass.md",
    "troubleshooting.md",
    "architecture.md",
)
INSTALLED = ("install.md", "upgrade.md", "uninstall.md")


@pytest.mark.parametrize("page", INSTALLED)
def test_what_is_applied_from_afar_is_this_version_and_is_there(page: str) -> None:
    found = re.findall(r"github\.com/nbgate/nbgate//([\w/.-]+)\?ref=v([\w.]+)", read(page))
    assert found
    for path, version in found:
        assert (DEPLOY.parent / path / "kustomization.yaml").is_file(), path
        assert version == __version__


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_below_deploy_is_there(page: str) -> None:
    named = re.findall(r"`(deploy/[\w/.-]+)`", read(page))
    assert [path for path in named if not (DEPLOY.parent / path).exists()] == []


def values(below: Any, path: str = "") -> Iterator[str]:
    for name, value in below.items():
        yield f"{path}{name}"
        if isinstance(value, dict):
            yield from values(value, f"{path}{name}.")


@pytest.mark.parametrize("page", INSTALLED)
def test_values_of_the_chart_are_there(page: str) -> None:
    known = {*values(yaml.safe_load((DEPLOY / "chart/values.yaml").read_text()))}
    text = read(page)
    named = re.findall(r"--set ([\w.]+)=", text) + re.findall(
        r"\(`([a-z]\w+\.\w+)` in Helm\)", text
    )
    assert [name for name in named if name not in known] == []


def flags(command: click.Command) -> set[str]:
    return {flag for one in command.params for flag in one.opts}


def test_arguments_of_the_controller_are_there() -> None:
    text = read("install.md")
    named = re.findall(r"`(--[a-z-]+)(?:=[^`]*)?`", text)
    helm = {"--set"}
    assert {*named} - helm <= flags(controller)
    assert {"--private-registry", "--auth-file"} <= {*named}


@pytest.mark.parametrize("page", PAGES)
def test_the_doctor_is_called_as_it_can_be(page: str) -> None:
    called = re.findall(r"nbgate doctor((?: --[a-z]+(?: [\w-]+)?)*)", read(page))
    assert {flag for one in called for flag in re.findall(r"--[a-z]+", one)} <= flags(doctor)


def patches(page: str) -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
    for text in blocks(read(page), "yaml"):
        for patch in yaml.safe_load(text).get("patches", []):
            yield patch["target"], yaml.safe_load(patch["patch"])


def chosen(target: dict[str, str]) -> list[dict[str, Any]]:
    return [
        document
        for document in manifests()
        if document["kind"] == target["kind"]
        and target.get("name") in {None, document["metadata"]["name"]}
    ]


def test_patches_apply_to_what_they_are_for() -> None:
    found = [*patches("install.md")]
    assert len(found) == 3
    for target, operations in found:
        assert chosen(target)
        for document in chosen(target):
            assert jsonpatch.apply_patch(document, operations) != document


def test_the_patch_for_a_trial_opens_what_is_closed_and_nothing_else() -> None:
    target, operations = next(patches("install.md"))
    (configuration,) = chosen(target)
    opened = jsonpatch.apply_patch(configuration, operations)["webhooks"]
    told = [
        [one.what.partition(":")[0] for one in differences(entry, expected)]
        for entry, expected in zip(opened, VALIDATING, strict=True)
    ]
    assert told == [["failurePolicy is Ignore, in trial"]] * 3 + [[]]


def test_policies_that_are_shown_are_valid() -> None:
    for page in PAGES:
        for text in blocks(read(page), "yaml"):
            document = yaml.safe_load(text)
            if document.get("kind") == "NotebookPolicy":
                assert read_policy(document).kind == "NotebookPolicy"


def namespaced(kinds: str) -> set[str]:
    return {d["metadata"]["name"] for d in manifests() if d["kind"].lower() in kinds.split(",")}


@pytest.mark.parametrize("page", PAGES)
def test_objects_that_are_typed_are_installed(page: str) -> None:
    """Of kinds that deploy/ installs under fixed names."""
    pattern = r"(deployment|validatingwebhookconfiguration|mutatingwebhookconfiguration|lease)[ /]([a-z][a-z-]+)"
    for kind, name in re.findall(rf"kubectl[^`\n]*? {pattern}", read(page)):
        assert name in namespaced(kind), f"{kind} {name}"


def test_every_page_is_found_from_another() -> None:
    links = {
        target
        for path in [DOCS.parent / "README.md", *DOCS.glob("*.md")]
        for target in re.findall(r"\]\((?:docs/)?([a-z-]+\.md)", prose(path.read_text()))
    }
    assert {*PAGES} <= links
