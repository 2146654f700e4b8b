"""When a file is to be read: when it has changed, and, where half of it could pass for the whole, has rested since."""

from dataclasses import dataclass

from webhook.stores.files import Identity

# Longer than the time stamps of file systems are coarse (but FAT's, 2 s); with two looks a second, a change counts
# within one.
SETTLE = 0.4


@dataclass(slots=True)
class Seen:
    """A file as it was last seen.

    Attributes:
        identity: what tells one state of the file from another.
        since: when this state was first seen, in seconds since the epoch.
        settled: it was read, and had rested before, so that the same identity means the same bytes.
    """

    identity: Identity
    since: float
    settled: bool = False

    def due(self, identity: Identity, now: float) -> bool:
        """Note what is seen now; tell whether the file is to be read, for the first time or once more."""
        if identity != self.identity:
            self.identity, self.since, self.settled = identity, now, False
        elif now < self.since:
            # The clock was set back: else the file would not have rested until it is as late again.
            self.since = now
        return not self.settled

    def rested(self, now: float, settle: float) -> bool:
        """Tell whether nobody has changed the file for `settle` seconds.

        By its own time stamp (ctime, which no writer can set back), or, where another machine's clock is ahead, by
        when this state was first seen.
        """
        changed = self.identity[4] / 1e9
        return now - min(self.since, changed) >= settle
