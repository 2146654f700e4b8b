from __future__ import annotations

import os
import socket

import pytest

from webhook.scanner.probes.listening import (
    Listener,
    listeners_of,
    only_loopback,
    other_ports,
)


@pytest.mark.parametrize(
    ("family", "address", "loopback"),
    [
        (socket.AF_INET, "127.0.0.1", True),
        (socket.AF_INET, "127.8.8.8", True),
        (socket.AF_INET, "0.0.0.0", False),
        (socket.AF_INET6, "::1", True),
        (socket.AF_INET6, "::", False),
        (socket.AF_INET6, "::ffff:127.0.0.1", True),
    ],
)
def test_a_listening_socket_is_seen_with_its_reach(
    family: socket.AddressFamily,
    address: str,
    loopback: bool,  # noqa: FBT001 - a parameter of the test, by name
) -> None:
    with socket.socket(family) as server:
        server.bind((address, 0))
        port = server.getsockname()[1]
        assert Listener(port=port, loopback=loopback) not in listeners_of(os.getpid())
        server.listen()
        assert Listener(port=port, loopback=loopback) in listeners_of(os.getpid())


def test_a_connection_is_no_listener() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as connection,
    ):
        port = connection.getsockname()[1]
        assert port not in other_ports(listeners_of(os.getpid()))


def test_of_a_process_that_is_not_there_nothing_is_seen() -> None:
    assert listeners_of(2**22 + 1) == ()


def test_only_the_other_ports_are_told_each_once() -> None:
    found = [
        Listener(port=p, loopback=b) for p, b in [(9, True), (8888, True), (9, False), (1, True)]
    ]
    assert other_ports(found) == (1, 9)


@pytest.mark.parametrize(
    ("reach", "expected"),
    [([], False), ([True], True), ([True, True], True), ([True, False], False)],
)
def test_only_loopback_means_8888_is_open_and_nobody_else_reaches_it(
    reach: list[bool],
    expected: bool,  # noqa: FBT001 - a parameter of the test, by name
) -> None:
    found = [Listener(port=8888, loopback=each) for each in reach]
    assert only_loopback([*found, Listener(port=80, loopback=False)]) is expected
