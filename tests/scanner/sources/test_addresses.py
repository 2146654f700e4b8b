"""Which addresses are how near; the guard's rules over them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scanner.sources.talking import refused
from webhook.scanner.errors import Refused
from webhook.scanner.sources.addresses import Zone, literal, zone_of
from webhook.scanner.sources.guard import Guard

PUBLIC, PRIVATE, HERE = "93.184.215.14", "10.1.2.3", "127.0.0.1"


@pytest.mark.parametrize(
    ("zone", "addresses"),
    [
        (Zone.PUBLIC, "1.1.1.1 93.184.215.14 172.32.0.1 100.128.0.1 192.0.1.1 2606:4700::1111"),
        (
            Zone.PRIVATE,
            "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 198.18.0.1 fd12::1",
        ),
        (Zone.LOOPBACK, "127.0.0.1 127.255.255.254 ::1"),
        (
            Zone.NEVER,
            "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 0.0.0.0 0.1.2.3",
        ),
        (
            Zone.NEVER,
            "224.0.0.1 240.0.0.1 255.255.255.255 192.0.2.1 198.51.100.1 203.0.113.1",
        ),
        (
            Zone.NEVER,
            "fe80::1 fec0::1 ff02::1 :: fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42",
        ),
        (
            Zone.NEVER,
            "2001:db8::1 2001::1 64:ff9b:1::1 ::127.0.0.1 100::1",
        ),
    ],
)
def test_an_address_has_its_zone(zone: Zone, addresses: str) -> None:
    assert {text: zone_of(ip_address(text)) for text in addresses.split()} == dict.fromkeys(
        addresses.split(), zone
    )


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_any_dress_has_the_same_zone(address: IPv4Address) -> None:
    number = int(address)
    dressed = [
        IPv6Address(0xFFFF_0000_0000 + number),
        IPv6Address(int(IPv6Address("64:ff9b::")) + number),
        IPv6Address(int(IPv6Address("2002::")) + (number << 80)),
    ]
    assert {zone_of(each) for each in dressed} == {zone_of(address)}


@given(st.ip_addresses())
def test_nothing_but_global_addresses_is_public(address: IPv4Address | IPv6Address) -> None:
    if zone_of(address) is Zone.PUBLIC and not isinstance(address, IPv6Address):
        assert address.is_global


def test_a_literal_is_read_with_brackets_and_without() -> None:
    assert literal("[::1]") == literal("::1") == IPv6Address("::1")
    assert literal("127.0.0.1") == IPv4Address("127.0.0.1")
    assert literal("127.1") is literal("localhost") is None


def admit(guard: Guard, host: str, *addresses: str) -> None:
    guard.admit(host, [ip_address(address) for address in addresses])


def guard(*told: str, private: bool = True) -> Guard:
    return Guard("x/y", "registry.tests", frozenset(told), private=private)


@pytest.mark.parametrize(
    ("own", "other", "passes"),
    [
        (PUBLIC, PUBLIC, True),
        (PUBLIC, PRIVATE, False),
        (PUBLIC, HERE, False),
        (PRIVATE, PUBLIC, True),
        (PRIVATE, PRIVATE, True),
        (PRIVATE, HERE, False),
        (HERE, PUBLIC, True),
        (HERE, PRIVATE, True),
        (HERE, HERE, True),
    ],
)
def test_a_registry_leads_no_nearer_than_it_is_itself(own: str, other: str, passes: bool) -> None:  # noqa: FBT001  # a case
    judge = guard()
    admit(judge, "registry.tests", own)
    if passes:
        admit(judge, "other.tests", other)
    else:
        message = refused(Refused, lambda: admit(judge, "other.tests", other))
        assert f"other.tests is at {other}" in message


@pytest.mark.parametrize("host", ["registry.tests", "told.tests", "other.tests"])
def test_nobody_is_let_to_a_metadata_address(host: str) -> None:
    judge = guard("told.tests")
    admit(judge, "registry.tests", HERE)
    refused(Refused, lambda: admit(judge, host, "169.254.169.254"))


def test_every_address_of_a_name_must_pass() -> None:
    judge = guard()
    admit(judge, "registry.tests", PUBLIC)
    refused(Refused, lambda: admit(judge, "other.tests", PUBLIC, PRIVATE))
    refused(Refused, lambda: admit(guard(private=False), "registry.tests", PUBLIC, HERE))


def test_only_public_registries_pass_where_private_ones_may_not() -> None:
    judge = guard("told.tests", private=False)
    admit(judge, "registry.tests", PUBLIC)
    refused(Refused, lambda: admit(judge, "registry.tests", PRIVATE))
    refused(Refused, lambda: admit(judge, "told.tests", HERE))


def test_a_host_that_was_told_may_be_nearer_than_the_registry() -> None:
    judge = guard("told.tests:5000", "::1")
    admit(judge, "registry.tests", PUBLIC)
    admit(judge, "told.tests", PRIVATE)
    admit(judge, "[::1]", "::1")


def test_a_registry_that_was_seen_outside_is_not_taken_to_be_here_later() -> None:
    judge = guard()
    admit(judge, "registry.tests", PUBLIC, HERE)
    assert not judge.loopback
    admit(judge, "registry.tests", HERE)
    assert not judge.loopback
    refused(Refused, lambda: admit(judge, "other.tests", HERE))


def test_before_the_registry_was_seen_others_must_be_public() -> None:
    refused(Refused, lambda: admit(guard(), "other.tests", PRIVATE))
