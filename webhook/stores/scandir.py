"""A folder of ImageScan documents, kept in memory file by file.

Read are the visible *.json, *.yaml and *.yml at the top of the folder, links followed: so a ConfigMap's mount, whose
hidden `..data` link is swapped whole, is read once and through its visible names. Folders below are not looked into.

A file is never taken for whole while it is written. Half of a JSON text is never JSON. Half of a YAML text can be YAML,
and say less than the whole: it is read only when it has rested for SETTLE seconds. Writers that rename, as
`write_scan` does, never show half a file, and one that stops in the middle of YAML for longer shows it as the whole.

What cannot be read is told in `problems`, and what the same file held before stays: of each document by name.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from webhook.core.document import Fault
from webhook.core.scan import Scan
from webhook.stores.files import UnreadableFile, identity_of, read_file
from webhook.stores.problem import Problem, printable, problem_of
from webhook.stores.scanfile import FileScans, read_scans
from webhook.stores.seen import SETTLE, Seen

_YAML = (".yaml", ".yml")
_SUFFIXES = (".json", *_YAML)


@dataclass(frozen=True, slots=True)
class ScanSet:
    """All that a folder held when it was last looked at.

    Attributes:
        scans: of every readable document, in no particular order.
        problems: what cannot be read, ordered by path.
        unreadable: how many documents that is, with a file that cannot be read at all counted as one.
    """

    scans: tuple[Scan, ...] = ()
    problems: tuple[Problem, ...] = ()
    unreadable: int = 0


@dataclass(slots=True)
class _File(Seen):
    """A file as it was last seen, and what it gives until it is read again; None where it never was."""

    held: FileScans | None = None


class ScanFolder:
    """A folder's scans; each `refresh` reads what has changed. One thread refreshes, any may read `current`.

    Args:
        folder: where the documents are.
        required: whether it is a problem that the folder was never there.
        settle: seconds that a YAML file must rest before it is read; 0 where half a file does no harm, as in a listing.
        clock: seconds since the epoch, as the file system's time stamps have them.

    Attributes:
        current: what the folder holds; replaced whole, never changed.
        complete: whether the last look saw all of the folder, and no file still rests that was never read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        required: bool = False,
        settle: float = SETTLE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.current = ScanSet()
        self.complete = False
        self._required = required
        self._settle = settle
        self._clock = clock
        self._files: dict[str, _File] = {}
        self._problem: Problem | None = None
        self._changed = False

    def refresh(self) -> bool:
        """Look at every file and read the changed ones; tell whether `current` is another now."""
        self._changed = False
        problem = None
        try:
            self.complete = self._look()
        except OSError as error:
            problem = self._refusal(error)
            self.complete = problem is None
        if self._changed or problem != self._problem:
            self._problem = problem
            self.current = self._gather()
            return True
        return False

    def files(self) -> Iterator[tuple[Path, FileScans]]:
        """Give each file that has been read, with what it gives, ordered by name."""
        for name, file in sorted(self._files.items()):
            if file.held is not None:
                yield self.folder / name, file.held

    def _look(self) -> bool:
        now = self._clock()
        seen: list[str] = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name = entry.name
                if name.endswith(_SUFFIXES) and name[0] != "." and self._visit(entry, now):
                    seen.append(name)
        if len(seen) != len(self._files):
            for name in self._files.keys() - set(seen):
                del self._files[name]
                self._changed = True
        return all(file.held is not None for file in self._files.values())

    def _visit(self, entry: os.DirEntry[str], now: float) -> bool:
        """Read a file that has changed; tell whether it is still there."""
        file = self._files.get(entry.name)
        found = _stat(entry)
        if found is None:
            return False
        identity = identity_of(found)
        if file is None:
            file = self._files[entry.name] = _File(identity, now)
        if file.due(identity, now):
            rested = file.rested(now, self._settle)
            if rested or not entry.name.endswith(_YAML):
                self._read(entry.path, file, rested=rested)
        return True

    def _read(self, path: str, file: _File, *, rested: bool) -> None:
        try:
            content = read_file(path)
        except UnreadableFile as error:
            # Not settled: it is tried again at each look, for what refuses it may pass without the file changing.
            self._take(file, FileScans((), (problem_of(path, 0, Fault("", str(error))),), 1))
            return
        if content.identity == file.identity:
            file.settled = rested
            self._take(file, read_scans(content.data, path))

    def _take(self, file: _File, new: FileScans) -> None:
        """Put what was read in the place of what was held; while it has faults, what it lost stays."""
        held = file.held
        if held is not None and new.unreadable:
            names = {scan.name for scan in new.scans}
            kept = (scan for scan in held.scans if scan.name not in names)
            new = replace(new, scans=(*new.scans, *kept))
        if new != held:
            file.held = new
            self._changed = True

    def _refusal(self, error: OSError) -> Problem | None:
        if isinstance(error, FileNotFoundError) and not self._required and not self._files:
            return None
        reason = f"cannot be listed: {error.strerror}; create the folder or grant read permission"
        return Problem(printable(self.folder), 0, "", reason)

    def _gather(self) -> ScanSet:
        held = [found for _, found in self.files()]
        own = () if self._problem is None else (self._problem,)
        return ScanSet(
            scans=tuple(chain.from_iterable(found.scans for found in held)),
            problems=(*own, *chain.from_iterable(found.problems for found in held)),
            unreadable=len(own) + sum(found.unreadable for found in held),
        )


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Look at a file, or at the link itself where it leads nowhere; give None if it is gone since it was listed."""
    for follow in (True, False):
        try:
            return entry.stat(follow_symlinks=follow)
        except OSError:
            continue
    return None


def load_scans(folder: Path) -> ScanSet:
    """Read a folder once, whatever is being written there now; a missing folder is a problem."""
    scans = ScanFolder(folder, required=True, settle=0)
    scans.refresh()
    return scans.current
