"""What a long run found, down to a few small inputs: those that reach a branch which no smaller one reaches."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.corpus import FOLDER, MOST_BYTES, MOST_FILES, files, inputs
from tests.fuzz.target import Target

_ROOT = Path(__file__).parents[2]
_OURS = (str(_ROOT / "webhook"), str(_ROOT / "certs"))
Branch = tuple[CodeType, int, int]


def distil(target: Target, found: Path) -> list[Path]:
    """Write into the target's corpus what adds branches to it, smallest first; give the new files.

    None for a target of certificates or keys: what shows a fault there is made in a test.
    """
    if not target.keeps:
        return []
    seen: set[Branch] = set()
    for data in inputs(target):
        seen |= branches(target, data)
    room = MOST_FILES - len(list(files(target)))
    written: list[Path] = []
    for data in _by_size(found.glob("*")):
        new = branches(target, data) - seen
        if new and len(written) < room:
            seen |= new
            path = FOLDER / target.name / hashlib.sha256(data).hexdigest()[:16]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            written.append(path)
    return written


def _by_size(paths: Iterable[Path]) -> list[bytes]:
    every = {path.read_bytes() for path in paths if path.stat().st_size <= MOST_BYTES}
    return sorted(every, key=lambda data: (len(data), data))


def branches(target: Target, data: bytes) -> set[Branch]:
    """Give the steps from line to line in webhook and certs that an input leads to."""
    seen: set[Branch] = set()
    last: dict[FrameType, int] = {}

    def step(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(_OURS):
            return None
        if event == "return":
            last.pop(frame, None)
        else:
            seen.add((code, last.get(frame, 0), frame.f_lineno))
            last[frame] = frame.f_lineno
        return step

    sys.settrace(step)
    try:
        target.check(data)
    finally:
        sys.settrace(None)
    return seen
