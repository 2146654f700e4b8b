"""The last lines of what a program printed, fit to be shown."""

import re

from webhook.core.words import cut

LINES = 20
_LENGTH = 200
# Colours and cursor movements (ECMA-48, control sequences): left out, or every line of a coloured log would be marks.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def tail(text: str) -> tuple[str, ...]:
    """Give the last 20 lines that hold anything, clean and cut to 200 characters."""
    lines = (_CONTROL.sub("", line).expandtabs(4).strip() for line in text.splitlines())
    return tuple(cut(line, _LENGTH) for line in [line for line in lines if line][-LINES:])
