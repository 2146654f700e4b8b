"""How a webhook's entry differs from what this version installs, and how much that matters.

What asks less than it should leaves notebooks unguarded; what asks more makes an outage of nbgate one of others: both
are wrong. Numbers and words that a team may well have chosen are named, as a warning, and nothing more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from webhook.doctor.expected import Entry
from webhook.doctor.reading import mapping, objects, sequence

Severity = Literal["warning", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that is not as it is installed; `value` is what it should be."""

    field: str
    severity: Severity
    what: str
    value: Any


# What the API server takes a missing field for (admissionregistration.k8s.io/v1, defaults.go).
_DEFAULTS: Mapping[str, Any] = {
    "failurePolicy": "Fail",
    "timeoutSeconds": 10,
    "matchPolicy": "Equivalent",
    "reinvocationPolicy": "Never",
    "namespaceSelector": {},
    "objectSelector": {},
}
_PLAIN = {
    "timeoutSeconds": "a longer wait than that is an outage",
    "matchPolicy": "Exact lets other versions of a kind by",
    "sideEffects": "scans are asked for, but not on a dry run",
    "reinvocationPolicy": "what a later webhook changes is not patched again",
}


def differences(entry: Entry, expected: Entry) -> Iterator[Difference]:
    """Compare an entry with the expected one of its name, without clientConfig."""
    yield from _rules(entry, expected)
    yield from _selectors(entry, expected)
    yield from _failure_policy(entry, expected)
    for name, why in _PLAIN.items():
        if name in expected and _value(entry, name) != expected[name]:
            what = f"{name} is {_value(entry, name)}, not {expected[name]}: {why}"
            yield Difference(field=name, severity="warning", what=what, value=expected[name])
    versions = expected["admissionReviewVersions"]
    has = sequence(entry, "admissionReviewVersions")
    if any(version not in has for version in versions):
        what = (
            f"admissionReviewVersions lacks {', '.join(versions)}, the one that nbgate answers in"
        )
        field = "admissionReviewVersions"
        yield Difference(field=field, severity="wrong", what=what, value=versions)
    if sequence(entry, "matchConditions"):
        what = "has matchConditions: where they do not hold, nothing is asked"
        yield Difference(field="matchConditions", severity="warning", what=what, value=[])


def _value(entry: Entry, name: str) -> Any:
    found = entry.get(name)
    return _DEFAULTS.get(name) if found is None else found


_Asked = tuple[str, str, str, str, str]


def _asked(entry: Entry) -> set[_Asked]:
    """Give each combination of group, version, resource, operation and scope that the rules ask about."""
    found: set[_Asked] = set()
    for rule in objects(entry, "rules"):
        parts = ("apiGroups", "apiVersions", "resources", "operations")
        lists = [[str(value) for value in sequence(rule, part)] for part in parts]
        found |= {(g, v, r, o, str(rule.get("scope", "*"))) for g, v, r, o in product(*lists)}
    return found


def _rules(entry: Entry, expected: Entry) -> Iterator[Difference]:
    has, should = _asked(entry), _asked(expected)
    missing = [one for one in sorted(should) if not any(_covers(other, one) for other in has)]
    # a wider scope asks about nothing more: a kind has only one
    extra = [one for one in sorted(has) if not any(_covers(o[:4], one[:4]) for o in should)]
    if missing:
        what = f"rules do not ask about {_listed(missing)}: that is not guarded"
        yield Difference(field="rules", severity="wrong", what=what, value=expected["rules"])
    if extra:
        what = f"rules ask about {_listed(extra)} too: an outage blocks that as well"
        severity: Severity = "wrong" if _value(entry, "failurePolicy") == "Fail" else "warning"
        yield Difference(field="rules", severity=severity, what=what, value=expected["rules"])


def _covers(wide: tuple[str, ...], one: tuple[str, ...]) -> bool:
    return all(w in ("*", o) for w, o in zip(wide, one, strict=True))


def _listed(asked: list[_Asked]) -> str:
    return ", ".join(
        dict.fromkeys(f"{operation} {resource}" for _, _, resource, operation, _ in asked)
    )


def _selectors(entry: Entry, expected: Entry) -> Iterator[Difference]:
    closed = _value(entry, "failurePolicy") == "Fail"
    for name in ("namespaceSelector", "objectSelector"):
        has, should = _value(entry, name), expected.get(name, {})
        if _selector(has) == _selector(should):
            continue
        if not _selector(has) and closed:
            what = (
                f"{name} is empty and failurePolicy is Fail: an outage blocks more than notebooks"
            )
            yield Difference(field=name, severity="wrong", what=what, value=should)
        elif not _selector(has):
            what = f"{name} is empty: nbgate is asked about more than notebooks"
            yield Difference(field=name, severity="warning", what=what, value=should)
        else:
            what = f"{name} is another than nbgate's: what it leaves out is not guarded"
            yield Difference(field=name, severity="warning", what=what, value=should)


def _selector(value: Any) -> tuple[Any, ...]:
    """Give a selector in a form that compares; the empty one gives an empty tuple."""
    labels = sorted((key, str(one)) for key, one in mapping(value, "matchLabels").items())
    expressions = [
        (str(e.get("key")), str(e.get("operator")), sorted(map(str, sequence(e, "values"))))
        for e in objects(value, "matchExpressions")
    ]
    return (*labels, *sorted(expressions))


def _failure_policy(entry: Entry, expected: Entry) -> Iterator[Difference]:
    has, should = _value(entry, "failurePolicy"), expected["failurePolicy"]
    if has == should:
        return
    what = (
        "failurePolicy is Ignore, in trial: while no replica answers, everything is let by"
        if should == "Fail"
        else "failurePolicy is Fail: an outage refuses what could go on without it"
    )
    yield Difference(field="failurePolicy", severity="warning", what=what, value=should)
