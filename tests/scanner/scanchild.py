"""`python -m tests.scanner.scanchild IMAGE`: scans in a process of its own; prints what came of it and what it took.

A registry gets two seconds for an answer, so that a test need not wait longer for one that stalls.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from tests.scanner.shelf import scan
from webhook.scanner.errors import ScanError
from webhook.scanner.scanning import ScanSettings
from webhook.scanner.sources.registry import Patiences, RegistryOptions

PATIENCES = Patiences(connect=2, document=2, blob_begin=2, blob_pause=2)


def main(image: str) -> None:
    """Scan one image without a probe and without a cache."""
    begin = time.monotonic()
    kind, said = "Scanned", ""
    try:
        scanned = scan(image, ScanSettings(registry=RegistryOptions(patiences=PATIENCES)))
        said = str([check.message for check in scanned.document.status.checks])
    except ScanError as error:
        kind, said = type(error).__name__, str(error)
    # not ru_maxrss, which a process inherits from the one that forked it
    [most] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    seconds = time.monotonic() - begin
    json.dump(
        {"kind": kind, "said": said, "most": int(most) * 1024, "seconds": seconds}, sys.stdout
    )


if __name__ == "__main__":
    main(sys.argv[1])
