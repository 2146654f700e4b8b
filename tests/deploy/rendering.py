"""What kustomize and helm make of deploy/, as objects by kind and name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.deploy.tools import DEPLOY, run

Document: TypeAlias = dict[str, Any]
Objects: TypeAlias = Mapping[tuple[str, str, str], Document]  # by kind, namespace and name

NAMESPACE = "nbgate-system"
CHART = DEPLOY / "chart"
# The reader in C is ten times as quick, and these are large.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Twice(Exception):
    """One object stands twice."""


def by_name(documents: Iterable[Document | None]) -> Objects:
    """Key objects by what makes each one of its kind. Raises Twice."""
    found: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        if document is None:
            continue
        metadata = document["metadata"]
        key = document["kind"], metadata.get("namespace", ""), metadata["name"]
        if key in found:
            raise Twice(str(key))
        found[key] = document
    return found


def read(text: str) -> Objects:
    """Read YAML of several objects. Raises Twice."""
    return by_name(yaml.load_all(text, Loader=_LOADER))


@cache
def overlay(name: str) -> Objects:
    """Build an overlay."""
    return read(run("kustomize", "build", DEPLOY / "overlays" / name))


def composed(folder: Path, name: str, *components: str) -> Objects:
    """Build an overlay with components, as somebody else's kustomization in `folder` would."""
    beside = Path(os.path.relpath(DEPLOY, folder))
    kustomization = {
        "resources": [str(beside / "overlays" / name)],
        "components": [str(beside / "components" / component) for component in components],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return read(run("kustomize", "build", folder))


def chart(values: Mapping[str, Any] | None = None, *flags: str) -> Objects:
    """Render the chart with these values in place of its defaults. Raises ToolFailed."""
    return read(chart_text(values, *flags))


def chart_text(values: Mapping[str, Any] | None = None, *flags: str) -> str:
    """Render the chart, and return the YAML. Raises ToolFailed."""
    read_from = ("--namespace", NAMESPACE, "--values", "-")
    given = json.dumps(values or {})
    return run("helm", "template", "nbgate", CHART, *read_from, *flags, stdin=given)


def kinds(objects: Objects, kind: str) -> list[Document]:
    """Give all objects of one kind."""
    return [document for (which, _, _), document in objects.items() if which == kind]
