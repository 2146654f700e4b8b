"""Results of scans as the engine gives them, made up, for the tests of what people see of them."""

from typing import Any

from tests.stores.samples import scan_document
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import read_scan_document
from webhook.scanner.scanning import Scanned

NEEDS_START = "only starting the image can tell"


def scanned(
    image: str,
    *,
    fails: dict[str, str] | None = None,
    unknown: dict[str, str] | None = None,
    notes: tuple[str, ...] = (),
    log: tuple[str, ...] = (),
    savable: str | None = None,
    **status: Any,
) -> Scanned:
    """Make the result of an image that passes everything but what is named, with the messages of those."""
    fails, unknown = fails or {}, unknown or {}
    verdict = "Violates" if fails else "Unknown" if unknown else "Conforms"
    checks = [_check(name, fails, unknown) for name in REQUIREMENTS]
    document = scan_document(image, **{"verdict": verdict, "checks": checks, **status})
    return Scanned(document=read_scan_document(document), notes=notes, log=log, savable=savable)


def _check(name: str, fails: dict[str, str], unknown: dict[str, str]) -> dict[str, str]:
    if name in fails:
        return {"requirement": name, "result": "Fail", "message": fails[name]}
    if name in unknown:
        return {"requirement": name, "result": "Unknown", "message": unknown[name]}
    return {"requirement": name, "result": "Pass", "evidence": "Probe", "message": "fine"}
