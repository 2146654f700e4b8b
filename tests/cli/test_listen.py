"""`--listen`: an address as people write it, and why one cannot be had."""

import errno
import ipaddress
import os
import socket

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.cli.exits import CouldNot
from webhook.cli.listen import ListenAddress, check_free


def address(text: str) -> tuple[str, int]:
    return ListenAddress().convert(text, None, None)


PORTS = st.integers(0, 65535)


@given(st.ip_addresses(v=4), PORTS)
def test_an_ipv4_address_and_port_are_read(host: ipaddress.IPv4Address, port: int) -> None:
    assert address(f"{host}:{port}") == (str(host), port)


@given(st.ip_addresses(v=6), PORTS)
def test_an_ipv6_address_stands_in_brackets(host: ipaddress.IPv6Address, port: int) -> None:
    assert address(f"[{host}]:{port}") == (str(host), port)
    with pytest.raises(click.BadParameter):
        address(f"{host}:{port}")


@pytest.mark.parametrize("text", [":8443", "0.0.0.0:8443"])
def test_without_a_host_it_is_every_address(text: str) -> None:
    assert address(text) == ("0.0.0.0", 8443)


def test_a_name_is_read_as_it_is() -> None:
    assert address("localhost:1") == ("localhost", 1)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "8443", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1"),
        *("127.0.0.1:65536", "127.0.0.1:123456", "127.0.0.1:0x10", "127.0.0.1: 1", "127.0.0.1:1 "),
        *("[::1]", "[::1]:", "[::1:1", "::1:1", "[::1]1", "[]:1", "http://127.0.0.1:1", "a:b:1"),
        *("127.0.0.1:\u0661", "127.0.0.1:1\n", "\x1b[31m:1"),
    ],
)
def test_what_is_no_address_is_refused_with_an_example_and_without_control_characters(
    text: str,
) -> None:
    with pytest.raises(click.BadParameter) as caught:
        address(text)
    assert "like 127.0.0.1:8443 or [::1]:8443" in caught.value.message
    assert caught.value.message.isprintable()


@given(st.text(max_size=20) | st.text("[]:.0123456789abx%", max_size=20))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        host, port = address(text)
    except click.BadParameter:
        return
    assert host
    assert 0 <= port <= 65535
    assert text.endswith(f":{text.rpartition(':')[2]}")


def test_what_was_read_already_is_left_at_that() -> None:
    """Click converts a default that is a value once more."""
    assert ListenAddress().convert(("::1", 1), None, None) == ("::1", 1)


# -- whether it can be had -------------------------------------------------------------------------


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


LOOPBACKS = ["127.0.0.1", *(["::1"] if has_ipv6() else [])]


@pytest.mark.parametrize("host", [*LOOPBACKS, "localhost", "0.0.0.0"])
def test_a_free_address_is_free_and_stays_free(host: str) -> None:
    check_free(host, 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    check_free(host, port)
    check_free(host, port)


@pytest.mark.parametrize("host", LOOPBACKS)
def test_a_taken_port_is_told_with_the_cure(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(CouldNot) as caught:
            check_free(host, port)
    assert str(caught.value).startswith("--listen: ")
    assert str(port) in str(caught.value)
    assert os.strerror(errno.EADDRINUSE) in str(caught.value)
    assert "end what listens there, or name another port" in str(caught.value)


def test_a_port_that_was_used_a_moment_ago_is_free() -> None:
    """A restarted server meets its own connections in TIME_WAIT."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the server's side closes first, and waits
        client.close()
    check_free("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("192.0.2.1", "name an address of this machine"),  # RFC 5737: nobody's
        ("no-such-host.invalid", "is no address of this machine"),  # RFC 6761: never resolved
        ("a b", "is no address of this machine"),
        (".", "is no address of this machine"),
        ("foo..bar", "is no address of this machine"),
        ("x" * 64, "is no address of this machine"),
        ("::zz", "is no address of this machine"),
    ],
)
def test_an_address_of_nobody_s_is_told_of(host: str, words: str) -> None:
    with pytest.raises(CouldNot, match=r"^--listen: ") as caught:
        check_free(host, 8443)
    assert words in str(caught.value)
