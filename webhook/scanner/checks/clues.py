"""What config and layers hint at where only a start can decide: for people, never for the result."""

from webhook.scanner.checks.seen import Seen
from webhook.scanner.layers.contents import Mention

_SHOWN = 2  # scripts; a denial is one line


def clues(seen: Seen, *words: Mention) -> str:
    """Tell what speaks for the requirement, as the end of a sentence; empty where nothing does."""
    hints = []
    if "8888" in words and seen.config.ports:
        ports = ", ".join(str(port) for port in seen.config.ports[:5])
        hints.append(f"it exposes {ports}")
    paths = [s.path for s in seen.files.scripts.values() if s.mentions.intersection(words)]
    if paths:
        more = " and others" if len(paths) > _SHOWN else ""
        hints.append(f"{' and '.join(f'/{p}' for p in sorted(paths)[:_SHOWN])}{more} mention it")
    argv = " ".join((*seen.config.entrypoint, *seen.config.command))
    if any(word in argv for word in words):
        hints.append("its command mentions it")
    return f" ({'; '.join(hints)})" if hints else ""
