"""What tests of the audit file share: threads that write, and what stands in files afterwards."""

import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.server.refusals import a_record
from webhook.server.auditlog import AuditFile


def append(log: AuditFile, uid: str, *, durable: bool = False) -> None:
    log.append({**RECORD, "uid": uid}, durable=durable)


RECORD = a_record()


def healthy(log: AuditFile) -> bool:
    """Ask anew each time; mypy takes a property for constant."""
    return log.condition.ok


def in_threads(count: int, work: Callable[[int], None]) -> list[threading.Thread]:
    """Start `work(number)` in so many threads."""
    threads = [
        threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads


def ended(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def records(path: Path) -> list[dict[str, Any]]:
    """Every line of a file, each of which must be a whole record; empty ones are passed over."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line]


def lines(path: Path) -> int:
    """How many whole lines there are, also while others write."""
    return path.read_bytes().count(b"\n")


def uids(*paths: Path) -> list[str]:
    return [record["uid"] for path in paths for record in records(path)]
