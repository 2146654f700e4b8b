"""Run as `python -m bench.inside MODE WHAT`: what one fresh process can tell of scans, as JSON.

`load FOLDER` reads a folder of them as `nbgate serve` does, and says what it cost; `read FOLDER` is the floor: every
file's bytes through orjson, kept by nobody. `decide COUNT` makes so many, times decisions, and says what they take.
"""

import gc
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from bench.corpus import make_scans
from bench.decision import time_decisions
from bench.memory import most_resident, resident, size_of
from webhook.core.decision import Snapshot
from webhook.core.document import format_time
from webhook.core.scan import Scan
from webhook.core.verdict import ScanIndex, build_index
from webhook.stores.policyfile import PolicyFile
from webhook.stores.scandir import ScanFolder
from webhook.stores.snapshot import FileStore

_MIB = 1 << 20
# Counting the parts of more takes minutes; by then the kernel's count is as good.
_COUNTED = 10_000


def _load(folder: str) -> dict[str, Any]:
    started = time.perf_counter()
    policy = PolicyFile(Path(folder) / "none.yaml", required=False)
    store = FileStore(ScanFolder(Path(folder), required=True), policy, clock=time.monotonic)
    gc.disable()  # as `nbgate serve` does for its first look
    store.refresh()
    gc.enable()
    seconds = time.perf_counter() - started
    if store.synced_at is None or store.problems:
        raise SystemExit(f"{folder} was not read: {store.problems[:3]}")
    return {"seconds": seconds, "resident": resident(), "most": most_resident()}


def _read(folder: str) -> dict[str, Any]:
    started = time.perf_counter()
    for path in Path(folder).iterdir():
        orjson.loads(path.read_bytes())
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "resident": resident(), "most": most_resident()}


def _decide(count: str) -> dict[str, Any]:
    gc.disable()
    before = resident()
    index = build_index(make_scans(int(count), format_time(time.time())))
    kernel = (resident() - before) * _MIB
    gc.enable()
    gc.collect(1)
    gc.freeze()  # as `nbgate serve` does with what it has loaded
    timings = time_decisions(Snapshot(scans=index), int(count))
    return {"timings": timings, "kernel": kernel, **_size(index, int(count))}


def _size(index: ScanIndex, count: int) -> dict[str, Any]:
    """Count what the index holds, and how much of it is names and digests, which no index could do without."""
    names = sum(map(_names, index.scans()))
    return {"names": names, "counted": size_of(index) if count <= _COUNTED else None}


def _names(scan: Scan) -> int:
    digests = (scan.digest or "", *scan.manifests)
    return len(scan.name) + len(scan.reference) + sum(map(len, digests))


_MODES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "load": _load,
    "read": _read,
    "decide": _decide,
}

if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(_MODES[sys.argv[1]](sys.argv[2])))
