"""Exit codes, the same for every command."""

OK = 0
DENIED = 1
USAGE = 2
COULD_NOT = 3


class CommandError(Exception):
    """A command ends without its result; the message names the place and the cure.

    Subclasses say whose turn it is: `BadInput` (exit 2) is the caller's, `CouldNot` (exit 3) the surroundings'.
    """

    exit_code = COULD_NOT


class BadInput(CommandError):
    """What was given cannot be used: a file, a field or a flag is wrong."""

    exit_code = USAGE


class CouldNot(CommandError):
    """What was asked cannot be done now: a disk is full, a port is taken."""

    exit_code = COULD_NOT
