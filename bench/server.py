"""The server on one processor, asked from another, beside its floors.

All servers run at once, and are asked in turn, round for round, so that whatever else the machine does meets them all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.child import Running
from bench.corpus import write_folder
from bench.load import Post, put
from bench.loading import IN_A_FILE
from bench.measure import Run
from bench.reviews import make_reviews
from bench.row import Row
from bench.serverrows import (
    CONNECTIONS,
    CROWD,
    GO,
    GTHREAD,
    WORKER,
    Runs,
    Starts,
    load_rows,
    memory_row,
    start_rows,
)
from bench.servers import Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """One thing to ask: its name in the table, the server, and what is posted to it."""

    name: str
    running: Running
    post: Post

    def ask(self, connections: int, seconds: int) -> Run:
        """Put load on it; twice as long where the handshakes of many connections are part of it."""
        seconds *= 2 if connections == CROWD else 1
        before = self.running.processor_seconds()
        load = put(self.post, connections=connections, seconds=seconds)
        return Run(load=load, processor=self.running.processor_seconds() - before)


class Bench:
    """The servers of one measurement, and the files that they need, in a folder of their own.

    Args:
        scans: that nbgate holds while it is asked.
        seconds: of load in each run.

    """

    def __init__(self, folder: Path, *, scans: int, seconds: int, rounds: int) -> None:
        self._servers = Servers(folder / "servers")
        self._count = scans
        self._scans = write_folder(folder / "scans", scans, in_a_file=IN_A_FILE)
        self._seconds = seconds
        self._rounds = rounds
        self._created, self._patched = folder / "created.json", folder / "patched.json"
        self._none = write_folder(folder / "none", 0, in_a_file=1)
        reviews = make_reviews()
        self._created.write_bytes(reviews.created)
        self._patched.write_bytes(reviews.patched)

    def rows(self) -> Iterator[Row]:
        """Start the servers, ask them, and end them."""
        servers = self._servers
        starts = Starts(bare=[], none=[], full=[])
        for _ in range(self._rounds):
            starts.bare.append(_start_once(lambda stack: servers.bare(stack, "worker")))
            starts.none.append(
                _start_once(lambda stack: servers.nbgate(stack, self._none, empty=True))
            )
        with ExitStack() as stack:
            nbgate = servers.nbgate(stack, self._scans)
            starts.full.append(nbgate.seconds)
            bare = {
                WORKER: servers.bare(stack, "worker"),
                GTHREAD: servers.bare(stack, "gthread"),
                **({GO: servers.go(stack)} if servers.has_go else {}),
            }
            runs = self._ask(list(self._targets(nbgate, bare)))
            memory = memory_row(nbgate.most_resident(), bare[WORKER].most_resident(), self._count)
        yield from start_rows(starts, self._count)
        yield memory
        yield from load_rows(runs)

    def _targets(self, nbgate: Running, bare: Mapping[str, Running]) -> Iterator[_Target]:
        for name, body in (("/validate", self._patched), ("/mutate", self._created)):
            yield _Target(name=name, running=nbgate, post=_post(nbgate, name, body))
        for name, running in bare.items():
            yield _Target(
                name=name, running=running, post=_post(running, "/validate", self._patched)
            )

    def _ask(self, targets: Sequence[_Target]) -> Runs:
        for target in targets:
            target.ask(16, 1)  # the first second is for warming up
        runs: dict[tuple[str, int], list[Run]] = {}
        for _ in range(self._rounds):
            for connections in CONNECTIONS:
                for target in targets:
                    run = target.ask(connections, self._seconds)
                    runs.setdefault((target.name, connections), []).append(run)
        return runs


def _start_once(start: Callable[[ExitStack], Running]) -> float:
    with ExitStack() as stack:
        return start(stack).seconds


def _post(running: Running, path: str, body: Path) -> Post:
    return Post(url=f"https://127.0.0.1:{running.port}{path}", body=body)
