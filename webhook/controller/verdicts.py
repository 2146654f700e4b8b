"""What the leader knows of scans: every result, and whether there is news."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from webhook.core.document import InvalidDocument
from webhook.core.reference import Reference
from webhook.core.scan import Scan
from webhook.core.scanreading import read_scan
from webhook.core.verdict import ScanIndex, build_index
from webhook.kube import Document, Event


class Verdicts(Protocol):
    """What those ask who act on verdicts."""

    def news(self) -> bool:
        """Tell whether a result has come or changed since this was asked last."""

    def find(self, reference: Reference) -> Scan | None:
        """Give the result that admission would judge this image by; None where there is none."""


class Results:
    """Every ImageScan's result, as a watch tells of them (webhook.stores.listwatch.Sink). Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scans: dict[str, Scan] = {}
        self._index: ScanIndex | None = None
        self._news = False

    def replaced(self, documents: Iterator[Document]) -> None:
        """Take a whole list."""
        found = (_result(document) for document in documents)
        scans = {scan.name: scan for scan in found if scan is not None}
        with self._lock:
            self._news = self._news or any(_is_news(s, self._scans) for s in scans.values())
            self._scans, self._index = scans, None

    def changed(self, event: Event) -> None:
        """Take one change."""
        name = event.object["metadata"]["name"]
        scan = None if event.type == "DELETED" else _result(event.object)
        with self._lock:
            if scan == self._scans.get(name):
                return
            self._index = None
            if scan is None:
                del self._scans[name]
            else:
                self._news = self._news or _is_news(scan, self._scans)
                self._scans[name] = scan

    def news(self) -> bool:
        """See Verdicts."""
        with self._lock:
            news, self._news = self._news, False
            return news

    def find(self, reference: Reference) -> Scan | None:
        """See Verdicts."""
        with self._lock:
            if self._index is None:
                self._index = build_index(self._scans.values())
            return self._index.find(reference).scan


def _is_news(scan: Scan, held: dict[str, Scan]) -> bool:
    """Tell whether a notebook that had to wait may start: that a tag still means the same says nothing about that."""
    before = held.get(scan.name)
    if before is None:
        return True
    said = (before.digest, before.verdict, before.serving, before.rewritable)
    return said != (scan.digest, scan.verdict, scan.serving, scan.rewritable)


def _result(document: Document) -> Scan | None:
    """Read a document; None where it has no result, or cannot be read: that is told where admission reads it."""
    try:
        scan = read_scan(document)
    except InvalidDocument:
        return None
    # Claims, retries and notes are no news; of the checks, only the verdict matters here.
    return replace(scan, outcomes=(), phase="Complete", note="") if scan.digest else None
