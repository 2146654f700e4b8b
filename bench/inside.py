"""Run as `python -m bench.inside MODE FOLDER`: what one fresh process can tell of a folder of scans, as JSON.

`load` reads the folder as `nbgate serve` does, and says what it cost; `decide` does so, times decisions and
counts the index's bytes.
`read` is the floor: every file's bytes through orjson, kept by nobody.
"""

import gc
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from bench.decision import time_decisions
from bench.memory import most_resident, resident, size_of
from webhook.core.decision import Snapshot
from webhook.core.scan import Scan
from webhook.stores.policyfile import PolicyFile
from webhook.stores.scandir import ScanFolder
from webhook.stores.snapshot import FileStore


def _load(folder: Path) -> tuple[dict[str, Any], Snapshot]:
    started = time.perf_counter()
    policy = PolicyFile(folder / "none.yaml", required=False)
    store = FileStore(ScanFolder(folder, required=True), policy, clock=time.monotonic)
    gc.disable()  # as `nbgate serve` does for its first look
    store.refresh()
    gc.enable()
    seconds = time.perf_counter() - started
    if store.synced_at is None or store.problems:
        raise SystemExit(f"{folder} was not read: {store.problems[:3]}")
    return {"seconds": seconds, "resident": resident(), "most": most_resident()}, store.current


def _size(snapshot: Snapshot) -> dict[str, Any]:
    """Count what the index holds, and how much of it is names and digests, which no index could do without."""
    names = sum(_names(scan) for scan in snapshot.scans.scans())
    return {"bytes": size_of(snapshot.scans), "names": names}


def _names(scan: Scan) -> int:
    digests = (scan.digest or "", *scan.manifests)
    return len(scan.name) + len(scan.reference) + sum(map(len, digests))


def _loaded(folder: Path) -> dict[str, Any]:
    cost, _ = _load(folder)
    return cost


def _decided(folder: Path) -> dict[str, Any]:
    cost, snapshot = _load(folder)
    return cost | {"timings": time_decisions(snapshot), "size": _size(snapshot)}


def _read(folder: Path) -> dict[str, Any]:
    started = time.perf_counter()
    for path in folder.iterdir():
        orjson.loads(path.read_bytes())
    return {
        "seconds": time.perf_counter() - started,
        "resident": resident(),
        "most": most_resident(),
    }


_MODES: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "load": _loaded,
    "decide": _decided,
    "read": _read,
}

if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(_MODES[sys.argv[1]](Path(sys.argv[2]))))
