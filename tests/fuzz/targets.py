"""All targets, by name: every reader of bytes from outside has one."""

from collections.abc import Mapping

from tests.fuzz import (
    certificates,
    commands,
    documents,
    images,
    kept,
    logins,
    objects,
    registries,
    requests,
    reviews,
    words,
)
from tests.fuzz.target import Target

_MODULES = (
    reviews,
    words,
    documents,
    kept,
    images,
    registries,
    requests,
    certificates,
    logins,
    objects,
    commands,
)

TARGETS: Mapping[str, Target] = {
    target.name: target for module in _MODULES for target in module.TARGETS
}
