"""ImageScan documents, many at a time: what `compact(read_scan_document(document))` gives, by a shorter way.

A replica that starts reads every scan of the cluster. The models find everything that is wrong with a document, and
take most of the time even where nothing is. So a document is first looked at for what is usual, and only of one that is
usual throughout is the value made here, in a quarter of the time. All others the models read: the short way may know
less than they do, never more. A test holds the two against each other, and fails when a model gets a field that this
way does not know.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, get_args

from webhook.core.document import API_VERSION, parse_duration, parse_time
from webhook.core.reference import Reference, parse
from webhook.core.requirements import REQUIREMENTS, Requirement
from webhook.core.scan import (
    REWRITABLE,
    Evidence,
    Outcome,
    Phase,
    Result,
    Scan,
    Serving,
    Verdict,
    compact,
    read_scan_document,
)

# By each word the one object that stands for it: a parser of JSON makes a new one for every document.
_PHASES: dict[str, Phase] = {word: word for word in get_args(Phase)}
_VERDICTS: dict[str | None, Verdict | None] = {word: word for word in (*get_args(Verdict), None)}
_SERVINGS: dict[str, Serving] = {word: word for word in get_args(Serving)}
_RESULTS, _EVIDENCES = (frozenset(get_args(kind)) for kind in (Result, Evidence))
_TRUTHS = frozenset({"True", "False", "Unknown"})
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
# No limit of the models is lower, but where a function says so.
_LENGTH = 1000  # characters of a text
_ITEMS = 64  # of a list
_PASS = Outcome("Pass")

_Outcomes = tuple[Outcome | None, ...]


class _Unusual(Exception):
    """The models are to read the document."""


def read_scan(document: Mapping[str, Any]) -> Scan:
    """Read an ImageScan document into what admission keeps. Raises InvalidDocument."""
    try:
        return _read(document)
    except (_Unusual, KeyError, TypeError, ValueError):
        return compact(read_scan_document(document))


def _read(document: Mapping[str, Any]) -> Scan:
    _expect(document["apiVersion"] == API_VERSION and document["kind"] == "ImageScan")
    spec, status = _object(document["spec"]), _object(document.get("status", {}))
    _duration(_text(spec.get("interval", "24h")))
    reference = parse(_text(spec["image"]))
    about = status.get("image")
    _expect(about is None or about == reference.canonical)
    _progress(status)
    return _judged(_name(_object(document["metadata"])), reference, status)


def _judged(name: str, reference: Reference, status: dict[str, Any]) -> Scan:
    """Read the result; whatever two parts of it contradict each other in is unusual."""
    phase = _PHASES[status.get("phase", "Pending")]
    verdict = _VERDICTS[status.get("verdict")]
    serving = _SERVINGS[status.get("serving", "Unknown")]
    facts = _facts(_object(status.get("facts", {})))
    outcomes, failed = _checks(_list(status.get("checks", [])))
    rewritable = facts.get("rewritable") is not False
    waived = REWRITABLE if serving == "Root" and rewritable else frozenset[Requirement]()
    _expect(verdict != "Conforms" or (serving != "None" and failed <= waived))
    _expect(verdict != "Violates" or bool(failed))
    digest = _digest_of(status, reference)
    manifests = tuple(map(_manifest, _list(status.get("manifests", []))))
    resolved, scanned = _time(status.get("resolvedAt")), _time(status.get("scannedAt"))
    whole = digest is not None and verdict is not None and scanned is not None
    _expect(whole or phase != "Complete")
    has_result = whole and (phase == "Complete" or bool(status.get("checks")))
    note = _note(_list(status.get("conditions", [])))
    scanned_at = scanned if has_result and scanned is not None else 0.0
    return Scan(
        name=name,
        reference=reference.canonical,
        is_tag=reference.digest is None,
        digest=digest if has_result else None,
        manifests=manifests if has_result else (),
        verdict=verdict if has_result and verdict is not None else "Unknown",
        serving=serving,
        outcomes=outcomes,
        cuda=facts.get("cuda"),
        resolved_at=scanned_at if resolved is None else resolved,
        scanned_at=scanned_at,
        phase=phase,
        note=note if phase == "Failed" and not has_result else "",
        rewritable=rewritable,
    )


def _name(metadata: dict[str, Any]) -> str:
    _whole_number(metadata.get("generation"))
    labels = metadata.get("labels")
    if labels is not None:
        for pair in _object(labels).items():
            for text in pair:
                _text(text)
    return _text(metadata["name"])


def _progress(status: dict[str, Any]) -> None:
    """Look at what the controller keeps for itself."""
    _optional_text(status.get("scanner"))
    _expect(_is_whole(attempts := status.get("attempts", 0)) and attempts >= 0)
    _time(status.get("retryAt"))
    _time(status.get("lastUsedAt"))
    claim = status.get("claim")
    if claim is not None:
        holder = _text(_object(claim)["holder"])
        _expect(0 < len(holder) <= 253 and claim["until"] is not None)
        _time(claim["until"])


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    for name in ("user", "cudaEvidence", "frameGuard"):
        _optional_text(facts.get(name))
    for name in ("cuda", "rewritable"):
        _expect(facts.get(name) is None or type(facts[name]) is bool)
    _whole_number(facts.get("compressedSize"))
    _expect(all(map(_is_whole, _list(facts.get("exposedPorts", [])))))
    for accelerator in _list(facts.get("accelerators", [])):
        _text(_object(accelerator)["resource"])
        _text(accelerator["evidence"])
    return facts


def _checks(checks: list[Any]) -> tuple[_Outcomes, frozenset[Requirement]]:
    found = []
    for check in checks:
        result, evidence = _object(check)["result"], check.get("evidence")
        _expect(result in _RESULTS and (evidence is None or evidence in _EVIDENCES))
        message = _text(check.get("message", ""))
        found.append((check["requirement"], result, "" if result == "Pass" else message))
    return _outcomes(tuple(found))


@lru_cache(maxsize=4096)
def _outcomes(
    checks: tuple[tuple[Requirement, Result, str], ...],
) -> tuple[_Outcomes, frozenset[Requirement]]:
    """Make the outcomes of checks, and say what fails. Images fail in the same few ways: many scans share one value."""
    by_name = {
        name: _PASS if result == "Pass" else Outcome(result, message)
        for name, result, message in checks
    }
    _expect(len(by_name) == len(checks) and by_name.keys() <= set(REQUIREMENTS))
    failed = frozenset(name for name, found in by_name.items() if found.result == "Fail")
    return tuple(map(by_name.get, REQUIREMENTS)), failed


def _digest_of(status: dict[str, Any], reference: Reference) -> str | None:
    found = status.get("digest")
    if found is None:
        return None
    _expect(reference.digest in {None, found})
    return _digest(found)


def _manifest(manifest: Any) -> str:
    _expect(0 < len(_text(_object(manifest)["platform"])) <= 100)
    return _digest(manifest["digest"])


def _digest(found: Any) -> str:
    _expect(_SHA256.fullmatch(_text(found)) is not None)
    return str(found)


def _note(conditions: list[Any]) -> str:
    """Read conditions; give the first that says something."""
    note = ""
    for condition in conditions:
        _text(_object(condition)["type"])
        _expect(condition["status"] in _TRUTHS)
        _text(condition.get("reason", ""))
        _time(condition.get("lastTransitionTime"))
        message = _text(condition.get("message", ""))
        note = note or message
    return note


_duration = lru_cache(maxsize=256)(parse_duration)


def _time(found: Any) -> float | None:
    return None if found is None else parse_time(_text(found))


def _expect(usual: bool) -> None:  # noqa: FBT001 - it is the whole question
    if not usual:
        raise _Unusual


def _object(found: Any) -> dict[str, Any]:
    if type(found) is not dict:
        raise _Unusual
    return found


def _list(found: Any) -> list[Any]:
    if type(found) is not list or len(found) > _ITEMS:
        raise _Unusual
    return found


def _text(found: Any) -> str:
    # ASCII, for a text may also hold halves of characters, which the models refuse.
    if type(found) is not str or len(found) > _LENGTH or not found.isascii():
        raise _Unusual
    return found


def _optional_text(found: Any) -> None:
    if found is not None:
        _text(found)


def _is_whole(found: Any) -> bool:
    return type(found) is int


def _whole_number(found: Any) -> None:
    _expect(found is None or _is_whole(found))
