"""Where `nbgate scan --save` puts results: a folder of ImageScan documents, or the cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from webhook.cli.exits import BadInput, CouldNot
from webhook.core.scan import ScanDocument
from webhook.stores.problem import printable
from webhook.stores.scanfile import write_scan

_CLUSTER = "cluster"


class Store(Protocol):
    """Takes results."""

    place: str

    def save(self, document: ScanDocument) -> None:
        """Keep one result, in the place of an older one for the same image. Raises CouldNot."""
        ...


@contextmanager
def open_store(named: str | None, context: str | None) -> Iterator[Store | None]:
    """Open what `--save` names; None without it. Raises BadInput or CouldNot, before anything is scanned."""
    if named is None:
        yield None
    elif not named:
        # a variable of a script that is not set; as a path it would be the working folder
        raise BadInput("--save: the name is empty: name a folder, or cluster")
    elif named == _CLUSTER:
        # Here, so that a scan that keeps nothing there does not pay for what speaks to clusters.
        from webhook.cli.clusterstore import cluster_store  # noqa: PLC0415 - see above

        with cluster_store(context) as store:
            yield store
    else:
        yield FolderStore(Path(named))


class FolderStore:
    """A folder; made, if it is missing, and tried before anything is scanned. Raises CouldNot."""

    def __init__(self, folder: Path) -> None:
        self.place = printable(folder)
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise CouldNot(f"--save: {self.place} is no folder: name one") from error
        except OSError as error:
            raise CouldNot(f"--save: {self.place} cannot be made: {error.strerror}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CouldNot(f"--save: {self.place} cannot be written: name another, or unlock it")

    def save(self, document: ScanDocument) -> None:
        """Write the document's file in one step."""
        try:
            write_scan(self._folder, document)
        except OSError as error:
            cure = "free or unlock it and scan again"
            raise CouldNot(f"{self.place} cannot be written: {error.strerror}; {cure}") from error
