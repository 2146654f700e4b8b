"""Files that commands print from: whatever stands there, none ends in a traceback or moves a terminal's cursor."""

from collections.abc import Callable
from pathlib import Path

import orjson
import yaml

from tests.cli.running import Ended, nbgate
from tests.core.builders import CUDA_IMAGE, container, notebook, pod, stateful_set_pod
from tests.fuzz.documents import _policies, _scans
from tests.fuzz.folders import fresh_folder
from tests.fuzz.kept import _logs
from tests.fuzz.target import Target


def _command(name: str, *arguments: str) -> Callable[[bytes], None]:
    """Make a check that runs a command over a file of that name, for people and for programs."""

    def check(data: bytes) -> None:
        with fresh_folder() as folder:
            (folder / "in").mkdir()
            path = folder / "in" / name
            path.write_bytes(data)
            words = [
                word.replace("FILE", str(path)).replace("FOLDER", str(path.parent))
                for word in arguments
            ]
            _check(nbgate(folder, *words), path)
            told = nbgate(folder, *words, "-o", "json")
            _check(told, path)
            if told.out:
                orjson.loads(told.out)

    return check


def _check(ended: Ended, path: Path) -> None:
    assert 0 <= ended.code <= 3
    assert ended.out or ended.err or ended.code == 0
    for line in (ended.out + ended.err).split("\n"):
        assert line == "" or line.isprintable(), (path.name, ascii(line))


def _manifests() -> list[bytes]:
    stateful_set = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "my-nb", "namespace": "team-a"},
        "spec": {"template": stateful_set_pod()},
    }
    namespace = {
        "kind": "Namespace",
        "metadata": {"name": "team-a", "labels": {"nbgate.dev/mode": "warn"}},
    }
    whole = [pod(container(image=CUDA_IMAGE)), notebook(), stateful_set, namespace]
    return [yaml.safe_dump_all(whole).encode(), *map(orjson.dumps, whole)]


TARGETS = (
    Target(
        name="review-command",
        check=_command("manifest.yaml", "review", "FILE"),
        seeds=_manifests,
        words=(
            b"kind: Namespace",
            b"nbgate.dev/mode: warn",
            b'"kind":"StatefulSet"',
            b"\\u001b[2J",
            b"notebook-name: x",
        ),
        examples=40,
    ),
    Target(
        name="audit-command",
        check=_command("audit.jsonl", "audit", "FILE"),
        seeds=_logs,
        words=(b"\\u001b[2J", b'"decision":"denied"', b'"suppressed":', b'"exemptions":["'),
        examples=40,
    ),
    Target(
        name="policy-command",
        check=_command("policy.yaml", "policy", "check", "FILE"),
        seeds=_policies,
        words=(b'"\\x1b[2J"', b"expires: 2027-03-31", b'"name":"'),
        examples=40,
    ),
    Target(
        name="scans-command",
        check=_command("scans.yaml", "scans", "list", "--scans", "FOLDER"),
        seeds=_scans,
        words=(b"\\u001b[2J", b'"message":"', b'"name":"', b'"phase":"Failed"'),
        examples=40,
    ),
)
