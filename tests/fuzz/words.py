"""Single words from outside: image references, patterns, durations, times, headers of registries."""

from contextlib import suppress
from pathlib import Path

from tests.fuzz.target import Target, one_line
from webhook.core.document import format_time, parse_duration, parse_time
from webhook.core.imagepattern import InvalidPattern, compile_pattern
from webhook.core.policy import _day
from webhook.core.reference import InvalidReference, parse
from webhook.core.scan import scan_name
from webhook.scanner.documents.ports import tcp_ports
from webhook.scanner.platforms import InvalidPlatform, parse_platform
from webhook.scanner.sources.challenge import InvalidChallenge, parse_challenges
from webhook.scanner.sources.naming import parse_name
from webhook.scanner.sources.urls import InvalidUrl, Url, parse_url, resolve_url
from webhook.server.deadline import parse_timeout
from webhook.stores.scanfile import scan_path
from webhook.stores.yamlscalar import resolve

DIGEST = "sha256:" + "a" * 64
_HERE = Url(scheme="https", host="registry.example.com", port=443, target="/v2/x/blobs/y?a=b")


def text_of(data: bytes) -> str:
    """Decode as Python does the words of a command line: what is no UTF-8 comes through."""
    return data.decode("utf-8", "surrogateescape")


def check_reference(data: bytes) -> None:
    """A text is a reference whose canonical form means the same, or it is refused in one line."""
    text = text_of(data)
    with suppress(InvalidReference):
        parse_name(text)
    try:
        found = parse(text)
    except InvalidReference as error:
        one_line(str(error), 400)
        return
    assert parse(found.canonical) == found
    assert parse(found.canonical).canonical == found.canonical
    assert parse(found.pinned(DIGEST)).digest == DIGEST
    scan_path(Path(), scan_name(text))
    assert scan_name(text) == scan_name(found.canonical)
    if found.domain == found.domain.lower():  # patterns are of lower case only
        assert compile_pattern(f"{found.domain}/**").matches(found)


def check_pattern(data: bytes) -> None:
    """A text is a pattern that stays what it is, or it is refused in one line."""
    text = text_of(data)
    try:
        pattern = compile_pattern(text)
    except InvalidPattern as error:
        one_line(str(error), 500)
        return
    assert str(pattern) == text
    assert compile_pattern(text) == pattern
    if "*" not in text:
        assert pattern.matches(parse(text))


def check_moment(data: bytes) -> None:
    """Durations, times, days, timeouts, numbers of YAML and platforms are read, or refused with a ValueError."""
    text = data.decode("utf-8", "replace")
    with suppress(ValueError):
        assert 0 < parse_duration(text) < 1e14
    with suppress(ValueError):
        seconds = parse_time(text)
        assert parse_time(format_time(seconds)) == seconds // 1
    with suppress(ValueError):
        timeout = parse_timeout(text)
        assert timeout is None or timeout >= 0
    with suppress(ValueError):
        assert _day(text).isoformat() == text
    with suppress(ValueError):
        resolve(text)
    with suppress(InvalidPlatform):
        assert parse_platform(parse_platform(text)) == parse_platform(text)
    with suppress(ValueError):
        assert all(0 < port < 65536 for port in tcp_ports(text.split(" ")))


def check_header(data: bytes) -> None:
    """What registries say in headers is read or refused: how to log in, and where to go."""
    text = data.decode("latin-1")
    try:
        for challenge in parse_challenges(text.split("\n")):
            assert challenge.scheme == challenge.scheme.lower()
    except InvalidChallenge as error:
        one_line(str(error))
    try:
        url = resolve_url(_HERE, text)
    except InvalidUrl as error:
        one_line(str(error))
        return
    again = parse_url(f"{url.scheme}://{url.host}:{url.port}{url.target}")
    assert again == url
    assert url.wire().target.isascii()
    one_line(str(url))


TARGETS = (
    Target(
        name="reference",
        check=check_reference,
        words=(b"docker.io/", b"@sha256:", b"localhost:", b"[::1]", b"oci:", b"docker-archive:"),
    ),
    Target(name="pattern", check=check_pattern, words=(b"/**", b"*/", b":v1", b"@sha256:")),
    Target(name="moment", check=check_moment, words=(b"timeout=", b"9999-12-31", b"1e999", b"0x")),
    Target(
        name="header",
        check=check_header,
        words=(b"Bearer realm=", b'service="', b"https://", b"//", b"\\", b"..%2f", b"[::]"),
    ),
)
