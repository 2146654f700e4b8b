"""The ids: the seven requirements and the other rules.

An id is stable: it labels metrics, keys policy, stands in messages as `[id]`, and is an anchor in
docs/requirements.md. The seven are one per bullet of Kubeflow's image requirements
(kubeflow.org/docs/components/notebooks/container-images/#custom-images).
"""

from typing import Literal, get_args

Requirement = Literal[
    "port-8888",
    "nb-prefix",
    "allow-origin",
    "user-jovyan",
    "uid-1000",
    "home-jovyan",
    "empty-home",
]
REQUIREMENTS: tuple[Requirement, ...] = get_args(Requirement)
# What says of each why, how it is checked and how to fix it; policy can name another page.
DEFAULT_HELP_URL = "https://github.com/nbgate/nbgate/blob/main/docs/requirements.md"

OtherRule = Literal[
    "reference",
    "registry",
    "unscanned",
    "stale",
    "pod-prefix",
    "pod-uid",
    "pod-home",
    "pod-digest",
]
OTHER_RULES: tuple[OtherRule, ...] = get_args(OtherRule)

RuleId = Requirement | OtherRule
RULES: tuple[RuleId, ...] = (*REQUIREMENTS, *OTHER_RULES)

# Where an image comes from is waived by name or not at all: an exemption that says nothing of it does not.
EXEMPT_BY_DEFAULT = frozenset(RULES) - {"reference", "registry"}
