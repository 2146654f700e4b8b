"""RequestBuffer: however bytes arrive, the same requests come out, and they end where the parser says that they end."""

from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook.server.httprequest import BadRequest, read_request
from webhook.server.requestbuffer import MAX_BODY, MAX_HEAD, RequestBuffer, State

END = b"\r\n\r\n"


def request(body: bytes = b"", *headers: bytes, length: bytes | None = None) -> bytes:
    """A request with that body, whose length is said unless it is empty."""
    said = str(len(body)).encode() if length is None else length
    lines = [b"POST /validate HTTP/1.1", b"Host: x", *headers]
    if body or length is not None:
        lines.append(b"Content-Length: " + said)
    return b"\r\n".join(lines) + END + body


def drained(buffer: RequestBuffer, pieces: Iterable[bytes]) -> list[bytes]:
    """All requests that come out while the pieces go in, each taken as soon as it is whole."""
    taken: list[bytes] = []
    for piece in pieces:
        buffer.feed(piece)
        while buffer.state is State.WHOLE:
            taken.append(buffer.take())
    return taken


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The data in pieces, cut at these places; none is empty."""
    places = sorted({cut % len(data) for cut in cuts if cut % len(data)}) if data else []
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a != b]


CUTS = st.lists(st.integers(0, 5000), max_size=12)
HEADERS = st.lists(
    st.sampled_from([b"Accept: */*", b"X-Content-Length: 7", b"Via: Content-Length: 9", b"A:"]),
    max_size=3,
)
REQUESTS = st.builds(lambda body, headers: request(body, *headers), st.binary(max_size=60), HEADERS)
# What framing is made of, whole and in halves: most mixtures are no HTTP, and some are two ways of reading it.
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *(b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", END, b"\r"),
            *(b"\n", b"Content-Length: 3\r\n", b"content-length:\t2 \r\n", b"Content-Length:"),
            *(
                b" 4",
                b"Content-Length: 03\r\n",
                b"Content-Length: +1\r\n",
                b"Content-Length : 1\r\n",
            ),
            *(
                b"Content-Length: 1, 1\r\n",
                b"Content-Length: 99999999999999999999\r\n",
                b"abc",
                b" ",
            ),
            *(
                b"Transfer-Encoding: chunked\r\n",
                b"Expect: 100-continue\r\n",
                b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
                b"Content-Length: 8000000\r\n",
                b"0\r\n\r\n",
                b"\xb2",
            ),
        ]
    ),
    max_size=14,
).map(b"".join)


@given(st.lists(REQUESTS, max_size=5), CUTS)
@example([request(b"\r\n\r\n"), request(), request(b"x" * 60)], list(range(400)))
def test_pipelined_requests_come_out_as_they_were_written_however_they_are_split(
    requests: list[bytes], cuts: list[int]
) -> None:
    buffer = RequestBuffer()
    assert drained(buffer, split(b"".join(requests), cuts)) == requests
    assert buffer.state is State.IDLE


@given(FRAGMENTS, CUTS)
@example(END, [2])
@example(request(b"abc")[:-1], [1, 2, 3])
def test_any_bytes_in_any_split_give_what_they_give_at_once(data: bytes, cuts: list[int]) -> None:
    pieces, at_once = RequestBuffer(), RequestBuffer()
    assert drained(pieces, split(data, cuts)) == drained(at_once, [data])
    for name in ("state", "declared", "collects", "expects_continue"):
        assert getattr(pieces, name) == getattr(at_once, name)


@given(FRAGMENTS, CUTS)
def test_no_byte_is_lost_or_invented(data: bytes, cuts: list[int]) -> None:
    buffer = RequestBuffer()
    taken = b"".join(drained(buffer, split(data, cuts)))
    assert data.startswith(taken)
    assert (taken == data) == (buffer.state is State.IDLE)


@given(FRAGMENTS)
@example(request(b"abc") + request(b"de"))
@example(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc")
@example(request(b"", b"Connection: Upgrade", b"Upgrade: h2c", length=b"8000000"))
def test_a_request_that_is_read_ends_where_the_buffer_cut_it(data: bytes) -> None:
    """Else the rest of one request would be read as the next one: request smuggling."""
    for cut in drained(RequestBuffer(), [data]):
        try:
            found = read_request(cut)
        except BadRequest:
            continue  # answered, and the connection ends
        assert found.keeps <= cut.endswith(END + found.body)
        assert found.keeps <= (len(found.body) == (found.length or 0))


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 5",
        b"content-length:5",
        b"CONTENT-LENGTH:\t 5\t ",
        b"Content-Length: 0005",
    ],
)
def test_a_length_is_read_however_it_is_written(header: bytes) -> None:
    buffer = RequestBuffer()
    buffer.feed(b"POST / HTTP/1.1\r\n" + header + END)
    assert (buffer.declared, buffer.collects, buffer.state) == (5, 5, State.PARTIAL)


@pytest.mark.parametrize(
    "header",
    [
        b"X-Content-Length: 5",
        b"Via: content-length: 5",
        b"Content-Length: -5",
        b"Content-Length: 5x",
        b"Content-Length: " + b"9" * 19,
        b"Content-Length: " + b"9" * 5000,
        b"Transfer-Encoding: chunked",
    ],
)
def test_what_is_no_length_collects_nothing(header: bytes) -> None:
    head = b"POST / HTTP/1.1\r\n" + header + END
    assert drained(RequestBuffer(), [head]) == [head]


@pytest.mark.parametrize("length", [MAX_BODY + 1, 10**17])
def test_a_body_that_is_too_long_is_refused_by_its_head_alone(length: int) -> None:
    head = request(length=str(length).encode())
    buffer = RequestBuffer()
    buffer.feed(head)
    assert (buffer.declared, buffer.collects, buffer.state) == (length, 0, State.WHOLE)
    assert buffer.take() == head
    assert buffer.state is State.IDLE


def test_the_longest_body_is_whole_with_its_last_byte() -> None:
    data = request(b"x" * MAX_BODY)
    buffer = RequestBuffer()
    buffer.feed(data[:-1])
    assert (buffer.collects, buffer.state) == (MAX_BODY, State.PARTIAL)
    buffer.feed(data[-1:] + b"GET")
    assert buffer.take() == data
    assert buffer.state is State.PARTIAL


def long_head(size: int) -> bytes:
    start = b"GET / HTTP/1.1\r\nX: "
    return start + b"a" * (size - len(start) - len(END)) + END


@given(CUTS)
@example(list(range(1, 60)))
def test_a_head_of_just_the_limit_is_found_in_any_split(cuts: list[int]) -> None:
    data = long_head(MAX_HEAD) + b"GET"
    from_the_end = [len(data) - cut for cut in cuts]
    assert drained(RequestBuffer(), split(data, from_the_end)) == [long_head(MAX_HEAD)]


@given(CUTS)
@example(list(range(1, 60)))
def test_a_head_over_the_limit_is_given_out_without_waiting_for_its_end(cuts: list[int]) -> None:
    data = long_head(MAX_HEAD + 1)
    from_the_end = [len(data) - cut for cut in cuts]
    first = drained(RequestBuffer(), split(data, from_the_end))[0]
    assert MAX_HEAD <= len(first) <= len(data)
    assert first[:MAX_HEAD].find(END) == -1


def test_a_head_over_the_limit_is_refused_even_where_it_arrives_in_one_piece() -> None:
    fields = [b"X%d: " % number + b"a" * 7000 for number in range(10)]
    buffer = RequestBuffer()
    buffer.feed(request(b"", *fields, length=b"3"))
    assert (buffer.declared, buffer.state) == (0, State.WHOLE)
    with pytest.raises(BadRequest, match="too long") as caught:
        read_request(buffer.take())
    assert caught.value.code == 431


def test_no_more_than_the_limit_is_waited_for_where_there_is_no_head() -> None:
    buffer = RequestBuffer()
    assert drained(buffer, [b"a"] * (MAX_HEAD - 1)) == []
    assert drained(buffer, [b"a"]) == [b"a" * MAX_HEAD]


@pytest.mark.parametrize("header", [b"Expect: 100-continue", b"expect:100-Continue \t"])
def test_an_expectation_is_known_with_the_head_and_forgotten_with_the_request(
    header: bytes,
) -> None:
    buffer = RequestBuffer()
    buffer.feed(request(b"abc", header)[:-1])
    assert (buffer.expects_continue, buffer.state) == (True, State.PARTIAL)
    buffer.feed(b"c")
    buffer.take()
    buffer.feed(b"POST / HTTP/1.1\r\n")
    assert buffer.expects_continue is False


def test_a_fresh_buffer_and_an_emptied_one_are_idle() -> None:
    buffer = RequestBuffer()
    assert (buffer.state, buffer.declared, buffer.collects) == (State.IDLE, 0, 0)
    drained(buffer, [request(b"abc")])
    assert (buffer.state, buffer.declared, buffer.collects) == (State.IDLE, 0, 0)
