"""Exposed ports: `8888/tcp`, `8888`, `8000-8010/tcp` -> numbers (OCI image-spec, config.md; ranges are Docker's)."""

import re
from collections.abc import Iterable, Iterator

from webhook.core.reading import Malformed
from webhook.core.reference import quoted

_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp)?)?", re.ASCII | re.IGNORECASE)
_HIGHEST = 65535


def tcp_ports(texts: Iterable[str]) -> tuple[int, ...]:
    """Give the TCP ports among exposed ones, ascending; those of other protocols are left out. Raises Malformed."""
    return tuple(_numbers(sorted(span for text in texts if (span := _span(text)) is not None)))


def _span(text: str) -> tuple[int, int] | None:
    match = _PORT.fullmatch(text)
    if match is None:
        raise Malformed(f"[{quoted(text)}]", "is no port: write 8888/tcp")
    low, high = int(match[1]), int(match[2] or match[1])
    if not 0 < low <= high <= _HIGHEST:
        raise Malformed(f"[{quoted(text)}]", f"must lie within 1 and {_HIGHEST}")
    return (low, high) if (match[3] or "tcp").lower() == "tcp" else None


def _numbers(spans: Iterable[tuple[int, int]]) -> Iterator[int]:
    # Each number once, however many ranges overlap: a small text can hold ten thousand times all ports.
    reached = 0
    for low, high in spans:
        yield from range(max(low, reached + 1), high + 1)
        reached = max(reached, high)
