"""Files as the sources of a snapshot: a folder of scans, a policy file."""

import time
from collections.abc import Callable

from webhook.core.policy import PolicyDocument
from webhook.core.verdict import ScanIndex
from webhook.stores.policyfile import PolicyFile
from webhook.stores.problem import Problem
from webhook.stores.scandir import ScanFolder

# A look at files takes a moment and comes twice a second: one that failed for a minute means that something is wrong
# with the disk, and what stands there now is anybody's guess.
PATIENCE = 60.0


class FolderScans:
    """The scans of a folder as an index; see Source. Nobody else refreshes the folder.

    Attributes:
        current: the index; another one when the scans change.
        heard_at: by the clock, when the last look began that saw the whole folder.
        patience, trouble: see Source; what is wrong with a folder is among its problems.
    """

    patience = PATIENCE
    trouble = ""

    def __init__(self, folder: ScanFolder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.current = ScanIndex()
        self.heard_at: float | None = None
        self._folder = folder
        self._clock = clock

    def start(self) -> None:
        """Do nothing: a folder is looked at by `refresh` alone."""

    def stop(self) -> None:
        """Do nothing."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What cannot be read now."""
        return self._folder.current.problems

    @property
    def unreadable(self) -> int:
        """How many documents cannot be read now."""
        return self._folder.current.unreadable

    def refresh(self) -> bool:
        """Look at every file and read the changed ones; tell whether scans or problems are others now."""
        started, before = self._clock(), self._folder.current.scans
        changed = self._folder.refresh()
        if self._folder.current.scans != before:
            self.current = ScanIndex().updated((), self._folder.current.scans)
        if self._folder.complete:
            self.heard_at = started
        return changed


class FilePolicy:
    """The policy of a file; see Source. Nobody else refreshes the file.

    Attributes:
        heard_at: by the clock, when the last look began, once there has been a policy to hold.
        patience, trouble: see Source; what is wrong with a file is among its problems.
    """

    patience = PATIENCE
    trouble = ""

    def __init__(self, file: PolicyFile, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.heard_at: float | None = None
        self._file = file
        self._clock = clock

    def start(self) -> None:
        """Do nothing: a file is looked at by `refresh` alone."""

    def stop(self) -> None:
        """Do nothing."""

    @property
    def current(self) -> PolicyDocument:
        """The policy that holds."""
        return self._file.current

    @property
    def generation(self) -> int:
        """Tell it from the one before."""
        return self._file.generation

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the file as it is now."""
        return self._file.problems

    @property
    def unreadable(self) -> int:
        """How many documents cannot be read now: none or one."""
        return 1 if self._file.problems else 0

    def refresh(self) -> bool:
        """Look at the file, and read it if it has changed; tell whether the policy or the problems are others now."""
        started = self._clock()
        changed = self._file.refresh()
        if self._file.loaded:
            self.heard_at = started
        return changed
