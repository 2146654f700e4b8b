"""What is done about a violation, and how far a namespace lets it go."""

from enum import IntEnum


class Action(IntEnum):
    """What a violation leads to, ordered by strength: the weaker of two is their minimum."""

    OFF = 0
    AUDIT = 1
    WARN = 2
    DENY = 3

    @property
    def label(self) -> str:
        """The word in documents, metrics and records."""
        return self.name.capitalize()

    @classmethod
    def from_label(cls, label: str) -> "Action":
        """Read the word of a document. Raises ValueError naming the words there are."""
        for action in cls:
            if action.label == label:
                return action
        raise ValueError(f"must be one of {', '.join(a.label for a in reversed(cls))}")


MODE_LABEL = "nbgate.dev/mode"
MODES = {"deny": Action.DENY, "warn": Action.WARN, "audit": Action.AUDIT}


def mode_of(label: str | None) -> str:
    """Read a namespace's mode label: `warn` and `audit` cap; absent, `deny` or a word unknown to us does not.

    An unknown word is no cap: whoever mistypes it sees the refusals that they meant to soften, not the reverse.
    """
    return label if label in MODES else "deny"
