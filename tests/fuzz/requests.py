"""HTTP requests as bytes: where one ends, and what the parser and the application make of it."""

import time
from typing import cast

import orjson

from tests.fuzz.reviews import GATES
from tests.fuzz.reviews import TARGETS as REVIEWS
from tests.fuzz.target import Target
from webhook.server.admission import AdmissionEndpoints, Arrival
from webhook.server.app import create_app
from webhook.server.exchange import Exchange
from webhook.server.requestbuffer import RequestBuffer, State
from webhook.server.serving import Edge
from webhook.server.tls import ServerTLS

_ANSWERS = {200, 400, 404, 405, 411, 413, 414, 415, 431}
_EDGE = Edge(
    admission=AdmissionEndpoints(GATES[0].services()),
    app=create_app(GATES[0].services()),
    tls=cast("ServerTLS", None),  # the requests are there already
    grace=0.0,
    overloaded=lambda: None,
)


def check_request(data: bytes) -> None:
    """Requests on one connection end at the same bytes, whatever pieces they come in; no byte is lost."""
    outcomes = {_requests(data, size) for size in (len(data) or 1, 1, 7)}
    assert len(outcomes) == 1


def _requests(data: bytes, size: int) -> tuple[bytes, ...]:
    buffer, found = RequestBuffer(), list[bytes]()
    for start in range(0, len(data), size):
        buffer.feed(data[start : start + size])
        while buffer.state is State.WHOLE:
            assert buffer.collects <= buffer.declared
            found.append(buffer.take())
            assert found[-1]
    left = len(buffer)
    assert sum(map(len, found)) + left == len(data)
    return tuple(found)


def check_http(data: bytes) -> None:
    """Every request gets one whole answer, which is no error of ours."""
    GATES[0].kept.lines.clear()
    buffer = RequestBuffer()
    buffer.feed(data)
    goes_on = True
    while goes_on and buffer.state is State.WHOLE:
        goes_on = _answered(buffer.take())


def _answered(data: bytes) -> bool:
    """Answer a request as the worker does; tell whether the connection goes on."""
    arrival = Arrival(time.monotonic(), verified=False)
    exchange = Exchange(_EDGE, data, arrival, ends=lambda: False)
    head, end, body = exchange.answer().partition(b"\r\n\r\n")
    assert end
    assert int(head.split(b" ")[1]) in _ANSWERS, head
    assert exchange.keeps is not (b"\r\nConnection: close" in head)
    if body and b"application/json" in head:
        orjson.loads(body)
    return exchange.keeps


def _requests_seeds() -> list[bytes]:
    head = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
    return [head + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", head * 2]


def _reviewed() -> list[bytes]:
    head = b"POST /%s?timeout=10s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    body = next(iter(REVIEWS[0].seeds()))
    posted = [head % (path, len(body)) + body for path in (b"mutate", b"validate")]
    asked = [
        b"%s HTTP/1.1\r\nHost: x\r\n\r\n" % line
        for line in (b"GET /readyz", b"HEAD /metrics", b"OPTIONS *")
    ]
    return [b"".join(posted), b"".join(asked), *_requests_seeds()]


_WORDS = (
    *(
        b"\r\n\r\n",
        b"\r\nContent-Length: ",
        b"\r\nTransfer-Encoding: chunked",
        b"\r\nExpect: 100-continue\r\n",
    ),
    *(
        b"?timeout=",
        b"%00",
        b"%2e%2e/",
        b"\r\nX-Forwarded-Proto: https",
        b"\r\nSCRIPT_NAME: /",
        b"\r\nUpgrade: h2c",
    ),
    *(
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
        b"HTTP/1.0",
        b"\r\nConnection: keep-alive",
        b"\r\n ",
        b"\x00",
    ),
)

TARGETS = (
    Target(name="request", check=check_request, seeds=_requests_seeds, words=_WORDS),
    Target(name="http", check=check_http, seeds=_reviewed, words=_WORDS),
)
