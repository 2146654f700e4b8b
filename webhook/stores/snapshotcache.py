"""The last snapshot of the cluster on disk, so that a replica which starts while the API server is away knows it.

    <folder>/last      what was known; see `snapshotformat`
    <folder>/heard     until when it is known to have been true, with its checksum

Most of the time nothing changes for hours, and yet the age of what is known must survive a restart: that is the small
file, written again and again while the large one stays. Each is replaced in one step and by itself: beside another
`last`, a `heard` counts for nothing, and then what is known is as old as it says itself.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from webhook import __version__
from webhook.core.policy import DEFAULT_POLICY
from webhook.stores import snapshotformat
from webhook.stores.clusterpolicy import ClusterPolicy
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.clustersource import ClusterSource
from webhook.stores.files import UnreadableFile, read_file, sync_folder, write_file, write_pieces
from webhook.stores.namespacemodes import NamespaceModes
from webhook.stores.snapshotformat import Kept, NotUsable, checksum
from webhook.stores.watch import Watcher

# Ten times what 50,000 scans take.
SIZE_LIMIT = 256 << 20
# The large file is written at most so often: 0.3 MB a second for 50,000 scans that change all the time.
WRITE_EVERY = 60.0
# A proof comes every 30 s. This much, and the time between two looks, a crash adds to the age.
STAMP_EVERY = 30.0
_LOOK_EVERY = 5.0
_STOP_SECONDS = 5.0
# Clocks may differ by so much before what was written counts as from the future, and so of no known age.
_AHEAD = 60.0


class SnapshotCache:
    """Keeps what is known of the cluster on disk, in a thread of its own from `start` to `stop`.

    Args:
        folder: where; made if it is missing.
        scans: restored and kept, where they are followed in the cluster.
        policy: likewise.
        modes: likewise.
        clock: what `heard_at` of these is measured by.
        wall: seconds since the epoch.
        report: told why what is there cannot be used, or nothing can be written, once each.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scans: ClusterScans | None,
        policy: ClusterPolicy | None,
        modes: NamespaceModes | None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        report: Callable[[str], object],
    ) -> None:
        self._folder = folder
        self._last, self._heard = folder / "last", folder / "heard"
        self._scans, self._policy, self._modes = scans, policy, modes
        self._clock = clock
        self._wall = wall
        self._report = report
        self._on_disk = Kept()
        self._checksum = ""
        self._written_at = self._stamped_at = float("-inf")
        self._problem = ""
        self._watcher = Watcher(self.look, self._failed, interval=_LOOK_EVERY)

    def load(self) -> None:
        """Let the sources begin with what is there; not to be called once they were started."""
        if not self._last.exists():
            return
        try:
            data = read_file(self._last, SIZE_LIMIT).data
            kept = snapshotformat.read(data, __version__)
            self._restore(kept, checksum(data))
        except (UnreadableFile, NotUsable) as error:
            self._report(f"{self._last} {error}; it is passed over")

    def _restore(self, kept: Kept, name: str) -> None:
        heard = {**kept.heard, **self._stamp(name)}
        if max(heard.values(), default=0.0) > self._wall() + _AHEAD:
            raise NotUsable("is from the future: a clock is wrong")
        since = {part: self._clock() - max(self._wall() - at, 0.0) for part, at in heard.items()}
        if self._scans and "scans" in since:
            self._scans.restore(kept.scans, since["scans"])
        if self._policy and "policy" in since:
            self._policy.restore(kept.policy or DEFAULT_POLICY, since["policy"])
        if self._modes and "modes" in since:
            self._modes.restore(kept.modes, since["modes"])
        self._on_disk, self._checksum = kept, name

    def _stamp(self, name: str) -> Mapping[str, float]:
        """Read until when what is in the file of that checksum was true; nothing where that is not known."""
        try:
            stamp = orjson.loads(read_file(self._heard, 4096).data)
            if stamp["snapshot"] == name:
                return snapshotformat.moments(stamp["heard"])
        except (UnreadableFile, LookupError, TypeError, ValueError, AttributeError):
            pass  # the snapshot is then as old as it says itself
        return {}

    def start(self) -> None:
        """Begin to keep what changes."""
        self._watcher.start()

    def stop(self) -> None:
        """End that, and write what is not written yet."""
        if self._watcher.stop(_STOP_SECONDS):
            self._written_at = self._stamped_at = float("-inf")
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - told as the watcher tells it
                self._failed(error)

    def look(self) -> None:
        """Write what has changed, where that is due. Raises OSError."""
        kept = self._known()
        if kept is None:
            return
        now = self._clock()
        if self._differs(kept):
            if now - self._written_at >= WRITE_EVERY:
                self._write(kept)
                self._written_at = self._stamped_at = now
        elif now - self._stamped_at >= STAMP_EVERY:
            self._write_stamp(kept)
            self._stamped_at = now

    def _known(self) -> Kept | None:
        """Gather what is known; None where that is nothing."""
        now, wall = self._clock(), self._wall()
        # Each part's time before the part: what comes after it makes no older what is there.
        heard = {
            name: wall - (now - source.heard_at)
            for name, source in self._parts()
            if source is not None and source.heard_at is not None
        }
        if not heard:
            return None
        policy = self._policy.current if self._policy else DEFAULT_POLICY
        return Kept(
            scans=self._scans.current if self._scans else self._on_disk.scans,
            policy=None if policy is DEFAULT_POLICY else policy,
            modes=self._modes.current if self._modes else {},
            heard=heard,
        )

    def _parts(self) -> tuple[tuple[str, ClusterSource[Any] | None], ...]:
        return ("scans", self._scans), ("policy", self._policy), ("modes", self._modes)

    def _differs(self, kept: Kept) -> bool:
        held = self._on_disk
        same = kept.scans is held.scans and kept.policy is held.policy and kept.modes == held.modes
        return not same or kept.heard.keys() != held.heard.keys()

    def _write(self, kept: Kept) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        pieces = list(snapshotformat.write(kept, __version__))
        write_pieces(self._last, pieces)
        sync_folder(self._folder)
        self._on_disk, self._checksum, self._problem = kept, checksum(pieces[-1]), ""

    def _write_stamp(self, kept: Kept) -> None:
        stamp = {"snapshot": self._checksum, "heard": dict(kept.heard)}
        write_file(self._heard, orjson.dumps(stamp, option=orjson.OPT_APPEND_NEWLINE))
        self._problem = ""

    def _failed(self, error: Exception) -> None:
        why = error.strerror or error if isinstance(error, OSError) else type(error).__name__
        problem = f"{self._folder} keeps nothing of the cluster: {why}; check the disk and the path"
        if problem != self._problem:
            self._problem = problem
            self._report(problem)
