"""ImageScan and NotebookPolicy documents: JSON and YAML as the stores read them, and both readers of a scan."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import yaml

from tests.core.builders import (
    DIGEST,
    IMAGE,
    NOW,
    exemption,
    pending_document,
    policy,
    scan_document,
)
from tests.fuzz.target import Target, one_line
from webhook.core.document import InvalidDocument
from webhook.core.policy import read_policy
from webhook.core.policyreview import advise
from webhook.core.scan import Scan, compact, read_scan_document
from webhook.core.scanreading import read_scan
from webhook.stores.documents import Parsed, parse_documents
from webhook.stores.jsontext import read_json
from webhook.stores.policyfile import UnreadablePolicy, parse_policy
from webhook.stores.problem import Problem
from webhook.stores.scanfile import Entry, read_entries, read_scans
from webhook.stores.yamltext import read_yaml

Json = dict[str, Any]


def check_scan_file(data: bytes) -> None:
    """A file of scans is read without an exception, whatever its name; what is read is the same when written again."""
    for name in ("scan.json", "scan.yaml"):
        found = read_scans(data, name)
        _check_problems(found.problems)
        for scan in found.scans:
            assert isinstance(scan, Scan)
        for entry in read_entries(data, name):
            if isinstance(entry, Entry):
                written = orjson.dumps(entry.content)
                assert read_scans(written, "scan.json").scans == (compact(entry.document),)


def check_scan_readers(data: bytes) -> None:
    """The short way of reading a scan gives what the models give, for every document of a text."""
    for piece in parse_documents(data):
        if isinstance(piece, Parsed):
            assert _outcome(read_scan, piece.content) == _outcome(_by_the_models, piece.content)


def _outcome(read: Callable[[Json], Scan], document: Json) -> Scan | str:
    try:
        return read(document)
    except InvalidDocument as error:
        return str(error)


def _by_the_models(document: Json) -> Scan:
    return compact(read_scan_document(document))


def check_policy_file(data: bytes) -> None:
    """A policy is read, and is the same when written again, or every fault is told in one line."""
    for name in ("policy.json", "policy.yaml"):
        try:
            found = parse_policy(data, name)
        except UnreadablePolicy as error:
            one_line(str(error).replace("\n", " "), 100_000)
            _check_problems(error.problems)
            continue
        written = found.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert read_policy(written) == found
        assert parse_policy(orjson.dumps(written), "policy.json") == found
        for advice in advise(found.spec, NOW):
            assert advice


def _check_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        one_line(str(problem), 16_000)


def check_yaml(data: bytes) -> None:
    """Text that is JSON means the same when it is read as YAML, unless it is refused there; YAML can be written."""
    text = data.decode("utf-8", "ignore").replace("\0", "")
    trees = list(read_yaml(text))
    for tree in trees:
        for flaw in tree.flaws:
            one_line(str(flaw.fault()), 20_000)
        if not tree.flaws:
            orjson.dumps(tree.value)
    if text.lstrip(" \t\r\n")[:1] in ("{", "["):
        plain = read_json(text.encode())
        if not plain.flaws and len(trees) == 1 and not trees[0].flaws:
            assert _same(plain.value, trees[0].value), (plain.value, trees[0].value)


def _same(one: Any, other: Any) -> bool:
    """Compare values; of numbers with 19 digits and more YAML keeps what a double holds."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other)
    return bool(one == other)


def _scans() -> list[bytes]:
    documents = [
        scan_document(),
        scan_document(fails={"nb-prefix": "404"}, serving="Root", verdict="Conforms"),
        scan_document(f"x@{DIGEST}", unknown={"uid-1000": "not read"}),
        pending_document(phase="Failed", why="401"),
    ]
    together = orjson.dumps({"kind": "List", "apiVersion": "v1", "items": documents[:2]})
    return [*map(orjson.dumps, documents), together, yaml.safe_dump_all(documents).encode()]


def _policies() -> list[bytes]:
    whole = policy(
        requirements={"allow-origin": "Warn", "uid-1000": "Off"},
        stale={"after": "168h", "action": "Warn"},
        registries={"allow": ["ghcr.io/kubeflow/**", IMAGE], "action": "Deny"},
        pod={
            "runAsUser": None,
            "home": {"path": "/home/jovyan", "claim": "{notebook}-workspace", "sizeLimit": "10Gi"},
            "gpu": {
                "action": "Add",
                "count": 1,
                "patterns": ["*/**"],
                "tolerations": [{"key": "a"}],
            },
        },
        helpURL="https://example.com/help",
        exemptions=[exemption(requirements=["nb-prefix"], images=["registry.example.com/old/**"])],
    )
    return [orjson.dumps(whole), orjson.dumps(policy()), yaml.safe_dump(whole).encode()]


_ODD = (
    b"\\ud800",
    b"\\u0000",
    b"1e999",
    b"NaN",
    b"\xef\xbb\xbf",
    b"\x00",
    b"null,",
    b"18446744073709551616",
)
_YAML = (
    b"\n---\n",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!binary ",
    b"%YAML 1.2\n",
    b"0o17",
    b".inf",
    b"? ",
    b"|2-\n",
)
_SCAN = (
    *(
        b'"phase":"Complete"',
        b'"digest":"sha256:',
        b'"checks":[',
        b'"result":"Fail"',
        b'"serving":"Root"',
    ),
    *(b'"verdict":"Violates"', b'"conditions":[{', b'"claim":{', b'"attempts":', b'"manifests":['),
)
_POLICY = (
    b'"exemptions":[',
    b'"registries":{',
    b'"helpURL":',
    b'"runAsUser":null',
    b'"expires":"2027-03-31"',
)

TARGETS = (
    Target(name="scan-file", check=check_scan_file, seeds=_scans, words=(*_SCAN, *_ODD, *_YAML)),
    Target(name="scan-readers", check=check_scan_readers, seeds=_scans, words=(*_SCAN, *_ODD)),
    Target(
        name="policy-file",
        check=check_policy_file,
        seeds=_policies,
        words=(*_POLICY, *_ODD, *_YAML),
    ),
    Target(
        name="yaml", check=check_yaml, seeds=lambda: _scans() + _policies(), words=(*_ODD, *_YAML)
    ),
)
