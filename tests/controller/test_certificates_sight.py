"""What a server serves is seen whoever should trust it, and one that cannot be seen hides no other."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from certs.context import server_context
from certs.directory import ServingPair, load
from certs.selfsigned import ensure
from webhook.controller.certificatesight import see_all, served_leaf

NAME = "nbgate.nbgate-system.svc"


@contextmanager
def serving(directory: Path, *, shakes_hands: bool = True) -> Iterator[tuple[ServingPair, int]]:
    """A server that completes handshakes, or only accepts connections; gives its pair and port."""
    ensure(directory, ["other.example"], now=datetime.now(UTC))
    pair = load(directory, now=datetime.now(UTC))
    context = server_context(pair)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def work() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(ssl.SSLError, OSError):
                        if shakes_hands:
                            context.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=work, daemon=True).start()
        yield pair, listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_the_leaf_is_seen_though_nobody_trusts_it_and_it_is_for_another_name(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as (pair, port):
        assert served_leaf("127.0.0.1", port, NAME) == pair.leaf.fingerprint


def test_one_that_cannot_be_seen_hides_no_other(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "a") as (pair, good),
        serving(tmp_path / "b", shakes_hands=False) as (_, silent),
        socket.socket() as closed,
    ):
        closed.bind(("127.0.0.1", 0))
        ports = (closed.getsockname()[1], silent, good)
        seen = see_all(
            [("127.0.0.1", port) for port in ports],
            lambda address, port: served_leaf(address, port, NAME),
        )
    assert [one.leaf for one in seen] == ["", "", pair.leaf.fingerprint]
    assert seen[0].problem.startswith("cannot be seen (Connection refused; does a NetworkPolicy")
    assert seen[1].problem.startswith("cannot be seen (")
    assert seen[2].problem == ""


def test_addresses_are_written_as_people_write_them() -> None:
    def sight(address: str, port: int) -> str:
        raise OSError(f"{address} \x1b {port}")

    seen = see_all([("fd00::1", 1), ("10.0.0.1", 2)], sight)
    assert [one.address for one in seen] == ["[fd00::1]:1", "10.0.0.1:2"]
    assert all(one.problem.isprintable() for one in seen)
    assert see_all([], sight) == ()
