"""Which files are made, and what is in them."""

import json
from pathlib import Path

import yaml

from deploy.generator.dashboard import dashboard
from deploy.generator.definitions import Document, image_scans, notebook_policies

FOLDER = Path(__file__).parent.parent
_HEADER = "# Made by `make manifests` from the models in webhook/core: change those.\n"
_RULES = "components/monitoring/rules.yaml"
# What the chart holds too. It can read no file outside its folder.
_CHART = "chart/files"


def made() -> dict[str, str]:
    """Return the texts of all files that are made, by their paths below deploy/."""
    scans, policies = _text(image_scans()), _text(notebook_policies())
    panels = json.dumps(dashboard(), indent=2) + "\n"
    return {
        "crds/imagescans.yaml": scans,
        "crds/notebookpolicies.yaml": policies,
        "components/monitoring/dashboard.json": panels,
        f"{_CHART}/crds/imagescans.yaml": scans,
        f"{_CHART}/crds/notebookpolicies.yaml": policies,
        f"{_CHART}/dashboard.json": panels,
        f"{_CHART}/rules.yaml": (FOLDER / _RULES).read_text(),
    }


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's signature
        return True  # what stands twice is written twice: people read these


def _text(document: Document) -> str:
    return _HEADER + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120)
