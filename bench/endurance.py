"""Memory after many requests: pods that all differ, patched and judged, some of them refused.

What a server keeps by pod, by namespace, by image or by refusal would show here as memory that grows.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from bench import ownload
from bench.child import CouldNotMeasure, Running
from bench.corpus import write_folder
from bench.machine import load_processor, pinned
from bench.reviews import make_reviews
from bench.row import Aim, Row
from bench.servers import Servers

_FLAT = Aim(of="ratio", side="under", limit=1.05)
_CONNECTIONS = 16
# Of a hundred requests one names a wrong UID, and one an image that nobody has scanned.
_EACH = 100
_PARTS = (0.1, 0.5, 1.0)
_NAMESPACES = 1000


def endurance_rows(folder: Path, count: int) -> Iterator[Row]:
    """Ask that many times, and look at the server's memory after a tenth, a half and all of them."""
    scans = write_folder(folder / "scans", 1, in_a_file=1)
    with ExitStack() as stack:
        server = Servers(folder / "servers").nbgate(stack, scans)
        memory, rates = _ask(server, count)
    first, *later = zip(_PARTS, memory, strict=True)
    for part, resident in later:
        yield Row(
            group="Memory of a worker while it is asked",
            figure=f"nbgate serve, after {round(count * part):,} requests",
            unit="MiB",
            samples=[resident],
            floor=f"after {round(count * first[0]):,}",
            floor_samples=[first[1]],
            aim=_FLAT,
        )
    yield Row(
        group="Requests a second meanwhile, patched and judged, one in fifty refused",
        figure=f"{_CONNECTIONS} connections",
        unit="/s",
        samples=rates,
    )


def _ask(server: Running, count: int) -> tuple[list[float], list[float]]:
    """Give the MiB after each part of the requests, and the requests a second in it."""
    memory, rates, sent = [], [], 0
    waiting = make_requests()
    for part in _PARTS:
        number = round(count * part) - sent
        with pinned(load_processor()):
            address = ("127.0.0.1", server.port)
            found = ownload.run(address, islice(waiting, number), _CONNECTIONS)
        if found["failed"] or found["requests"] != number:
            raise CouldNotMeasure(f"{found['requests']} of {number} requests were answered")
        memory.append(server.resident())
        rates.append(number / found["seconds"])
        sent += number
    return memory, rates


def make_requests() -> Iterator[bytes]:
    """Write requests without end, each about another pod."""
    reviews = make_reviews()
    number = 0
    while True:
        match number % _EACH:
            case 1:
                path, body = "/validate", reviews.refused
            case 51:
                path, body = "/validate", reviews.created.replace(b":v1.10.0", b":v%d" % number)
            case even if even % 2 == 0:
                path, body = "/mutate", reviews.created
            case _:
                path, body = "/validate", reviews.patched
        yield ownload.request("localhost", path, _another(body, number), {})
        number += 1


def _another(body: bytes, number: int) -> bytes:
    """Make a review that of another pod in one of a thousand namespaces, with UIDs of its own."""
    return (
        body.replace(b"8adbba00", b"%08x" % number)
        .replace(b"my-nb", b"nb-%d" % number)
        .replace(b"team-a", b"team-%d" % (number % _NAMESPACES))
    )
