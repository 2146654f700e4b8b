"""Words that may have been written by anybody, made fit for one line of a message, a log or a terminal."""


def clean(text: str) -> str:
    """Replace what is not printable, so that no text breaks a line, a log or a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def cut(text: str, limit: int) -> str:
    """Clean a text and cut it to `limit` characters, the last three of them dots where something is missing."""
    if len(text) <= limit:
        return clean(text)
    return f"{clean(text[: max(limit - 3, 0)])}..."


def cut_front(text: str, limit: int) -> str:
    """Do the same from the front, for names that tell most at their end, as images do."""
    if len(text) <= limit:
        return clean(text)
    return f"...{clean(text[len(text) - max(limit - 3, 0) :])}"
