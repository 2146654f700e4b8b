"""HttpRequest: what is read of a request's bytes, and what is refused; the server's tests ask the same over wires."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook.server.httprequest import BadRequest, HttpRequest, read_request

END = b"\r\n\r\n"


def written(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, *fields]) + END + body


def read(target: bytes = b"/validate", *fields: bytes, body: bytes = b"") -> HttpRequest:
    return read_request(written(b"POST " + target + b" HTTP/1.1", *fields, body=body))


def refused(data: bytes) -> tuple[int, str]:
    with pytest.raises(BadRequest) as caught:
        read_request(data)
    return caught.value.code, str(caught.value)


@given(st.binary(max_size=200))
@example(END)
def test_the_body_is_what_the_length_says_and_nothing_else(body: bytes) -> None:
    length = b"Content-Length: %d" % len(body)
    found = read(b"/validate?timeout=10s", length, b"Content-Type: text/x", body=body)
    assert found == HttpRequest(
        method="POST",
        path="/validate",
        query="timeout=10s",
        content_type="text/x",
        length=len(body),
        body=body,
        keeps=True,
    )


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/mutate?", "/mutate", ""),
        (b"/%6dutate?a=%20", "/mutate", "a=%20"),
        (b"/a%00%ff", "/a\0\xff", ""),
        (b"//x/mutate", "//x/mutate", ""),
        (b"http://x:1/mutate?a", "/mutate", "a"),
        (b"http://x", "/", ""),
        (b"/mutate#x", "/mutate", ""),
        (b"*", "*", ""),
    ],
)
def test_a_target_is_split_once_and_only_its_path_decoded(
    target: bytes, path: str, query: str
) -> None:
    found = read(target)
    assert (found.path, found.query) == (path, query)


@pytest.mark.parametrize(
    ("line", "fields", "keeps"),
    [
        (b"GET / HTTP/1.1", [], True),
        (b"GET / HTTP/1.1", [b"Connection: keep-alive"], True),
        (b"GET / HTTP/1.1", [b"Connection: Close"], False),
        (b"GET / HTTP/1.1", [b"Connection: x", b"connection: close"], False),
        (b"GET / HTTP/1.0", [], False),
        (b"GET / HTTP/1.0", [b"Connection: keep-alive"], False),
        (b"POST / HTTP/1.1", [b"Transfer-Encoding: chunked"], False),
        (b"POST / HTTP/1.1", [b"Content-Length: 1"], False),
    ],
)
def test_a_connection_goes_on_only_where_both_sides_know_where_the_next_request_starts(
    line: bytes, fields: list[bytes], *, keeps: bool
) -> None:
    assert read_request(written(line, *fields)).keeps is keeps


def test_what_is_chunked_has_no_body_and_no_length() -> None:
    found = read(b"/", b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n")
    assert (found.length, found.body, found.keeps) == (None, b"", False)


def test_a_body_that_is_not_all_there_is_none() -> None:
    found = read(b"/", b"Content-Length: 3", body=b"{}")
    assert (found.length, found.body, found.keeps) == (3, b"", False)


def test_an_offer_to_speak_something_else_is_not_taken() -> None:
    offer = [b"Upgrade: h2c", b"Connection: Upgrade"]
    assert read(b"/", *offer).keeps is True
    with_a_body = written(b"POST / HTTP/1.1", *offer, b"Content-Length: 2", body=b"{}")
    assert refused(with_a_body)[0] == 400


@pytest.mark.parametrize("method", [b"POST", b"CONNECT"])
def test_a_body_that_is_too_long_to_be_collected_ends_the_connection_whatever_is_offered(
    method: bytes,
) -> None:
    """llhttp ends such a request with its head: the body would be read as the next one."""
    fields = [b"Upgrade: h2c", b"Connection: Upgrade", b"Content-Length: 9000000"]
    found = read_request(written(method + b" / HTTP/1.1", *fields))
    assert (found.length, found.body, found.keeps) == (9_000_000, b"", False)


def test_fields_of_one_name_are_one_list() -> None:
    kinds = [b"Content-Type: application/json", b"content-type: text/plain"]
    assert read(b"/", *kinds).content_type == "application/json, text/plain"


@pytest.mark.parametrize("size", [4096, 4097])
def test_a_target_has_4_kib_at_most(size: int) -> None:
    line = b"GET /" + b"a" * (size - 1) + b" HTTP/1.1"
    if size <= 4096:
        assert len(read_request(written(line)).path) == size
    else:
        assert refused(written(line)) == (
            414,
            "malformed request: its target is longer than 4096 bytes",
        )


@pytest.mark.parametrize("fields", [[b"a" * 8192], [b"a" * 4000, b"b" * 4190]])
def test_a_field_has_8_kib_at_most_in_all_its_lines(fields: list[bytes]) -> None:
    assert read(b"/", *(b"X: " + field for field in fields))
    longer = [b"X: " + field for field in [*fields, b"c"]]
    code, why = refused(written(b"GET / HTTP/1.1", *longer))
    assert (code, "8192 bytes" in why) == (431, True)


def test_a_head_has_100_fields_at_most() -> None:
    assert read(b"/", *[b"X: y"] * 100)
    assert refused(written(b"GET / HTTP/1.1", *[b"X: y"] * 101))[0] == 431


@pytest.mark.parametrize("digits", [18, 19, 5000])
def test_a_length_has_18_digits_at_most(digits: int) -> None:
    data = written(b"POST / HTTP/1.1", b"Content-Length: " + b"0" * (digits - 1) + b"1", body=b"x")
    if digits == 18:
        assert read_request(data).body == b"x"
    else:
        assert refused(data)[0] == 400


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(written(b"GET / HTTP/1.1") * 2, "more of it", id="two"),
        pytest.param(
            written(b"POST / HTTP/1.1", b"Content-Length: 1", body=b"ab"), "more", id="a rest"
        ),
        pytest.param(b"\r\n" + written(b"GET / HTTP/1.1"), "its line is not", id="a line before"),
        pytest.param(written(b"GET  / HTTP/1.1"), "its line is not", id="two blanks"),
        pytest.param(written(b"GET /"), "its line is not", id="HTTP/0.9"),
        pytest.param(written(b"GET / RTSP/1.1"), "its line is not", id="RTSP"),
        pytest.param(written(b"GET / HTTP/1.2"), "Invalid HTTP version", id="HTTP/1.2"),
        pytest.param(written(b"FOO / HTTP/1.1"), "Invalid method", id="no method"),
        pytest.param(written(b"CONNECT a:1 HTTP/1.1"), "neither a path nor a URL", id="CONNECT"),
        pytest.param(written(b"GET HTTPS://:1/ HTTP/1.1"), "neither a path nor", id="no host"),
        pytest.param(
            written(b"GET / HTTP/1.1", b"Content-Length: 0", b"Content-Length: 0"), "Dup", id="dup"
        ),
    ],
)
def test_what_is_no_request_is_refused_and_says_why(data: bytes, why: str) -> None:
    code, told = refused(data)
    assert code == 400
    assert told.startswith("malformed request: ")
    assert why in told


@pytest.mark.parametrize("data", [b"", END, b"GET / HTTP/1.1\r\nX: y", b"a" * 5])
def test_what_has_no_end_of_its_head_is_refused(data: bytes) -> None:
    assert refused(data)[0] in {400, 431}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(BadRequest):
        assert data.endswith(read_request(data).body)
