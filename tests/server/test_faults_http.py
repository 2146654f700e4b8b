"""HTTP and JSON that are wrong on purpose: refused in the form that all errors have, or decided, never half read."""

import json
import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.server.running import RunningServer, recorded

JSON = {"Content-Type": "application/json"}
NEXT = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """At its end nothing of all that has made it stumble, and its records are whole."""
    with RunningServer(tmp_path_factory.mktemp("home"), "--audit-level", "all") as running:
        yield running
        assert not [line for line in running.log if json.loads(line)["level"] == "error"]
        assert sum("Booting worker" in line for line in running.log) == 1
        assert all(record["uid"] for record in running.records())


@pytest.fixture(scope="module")
def trusted(server: RunningServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.authority))


def answers(server: RunningServer, trusted: ssl.SSLContext, data: bytes) -> list[tuple[int, bytes]]:
    """Send bytes, and give the codes and bodies of all that comes until the server ends the connection."""
    received = b""
    raw = socket.create_connection(("127.0.0.1", server.port), 10)
    with trusted.wrap_socket(raw, server_hostname="localhost") as wire:
        wire.settimeout(3)
        wire.sendall(data)
        try:
            while part := wire.recv(65536):
                received += part
        except (TimeoutError, ConnectionResetError, ssl.SSLError):
            pass
    parts = received.split(b"HTTP/1.1 ")[1:]
    return [(int(part[:3]), part.partition(b"\r\n\r\n")[2]) for part in parts]


# -- HTTP ------------------------------------------------------------------------------------------


def post(*fields: bytes, body: bytes = b"{}") -> bytes:
    lines = [b"POST /validate HTTP/1.1", b"Host: x", b"Content-Type: application/json", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(post(b"Content-Length: 2\r\n folded: yes"), id="obs-fold"),
        pytest.param(post(b"Transfer-Encoding: chunked", b"Content-Length: 2"), id="chunked first"),
        pytest.param(
            post(
                b"Transfer-Encoding: chunked", body=b"2;x=" + b"y" * 70000 + b"\r\n{}\r\n0\r\n\r\n"
            ),
            id="a chunk with a long extension",
        ),
        pytest.param(post(b"Transfer-Encoding:\x0bchunked"), id="a coding behind VT"),
        pytest.param(post(b"Content-Length: 2", b"Bad Name: x"), id="a blank in a name"),
        pytest.param(post(b"Content-Length: 2", b": x"), id="no name"),
        pytest.param(post(b"Content-Length: 2", b"X: a\x00b"), id="NUL in a value"),
        pytest.param(post(b"Content-Length: 2", b"X-\xe9: 1"), id="a name beyond ASCII"),
        pytest.param(post(b"Content-Length: 0x2"), id="a hexadecimal length"),
        pytest.param(post(b"Content-Length: 2e0"), id="a length with an exponent"),
        pytest.param(post(b"Content-Length: 2", *[b"X: y"] * 200), id="200 fields"),
        pytest.param(post(b"Content-Length: 2", *[b"X: y"] * 9000), id="9,000 fields"),
        pytest.param(post(b"Content-Length: 2", b"X: " + b"y" * 9000), id="a field of 9 KB"),
        pytest.param(b"GET /" + b"y" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a line of 9 KB"),
        pytest.param(b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", id="HTTP/9.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 as it begins"),
        pytest.param(b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n", id="TLS in TLS"),
        pytest.param(b"GET  /livez  HTTP/1.1\r\nHost: x\r\n\r\n", id="two blanks"),
        pytest.param(b"get\x00 /livez HTTP/1.1\r\nHost: x\r\n\r\n", id="NUL in the method"),
        pytest.param(b"A" * 40 + b" /livez HTTP/1.1\r\nHost: x\r\n\r\n", id="a long method"),
    ],
)
def test_what_is_no_http_is_refused_once_and_nothing_behind_it_is_read(
    server: RunningServer, trusted: ssl.SSLContext, sent: bytes
) -> None:
    """One answer, 4xx, and the end of the connection: whatever stands behind it is no request."""
    found = answers(server, trusted, sent + NEXT)
    assert len(found) == 1, found
    code, body = found[0]
    assert 400 <= code < 500
    assert json.loads(body)["kind"] == "Status"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET http://elsewhere/livez HTTP/1.1\r\nHost: x\r\n\r\n", id="absolute"),
        pytest.param(b"GET //elsewhere/livez HTTP/1.1\r\nHost: x\r\n\r\n", id="two slashes"),
        pytest.param(b"GET /../livez HTTP/1.1\r\nHost: x\r\n\r\n", id="dots"),
        pytest.param(b"GET /%2e%2e/livez HTTP/1.1\r\nHost: x\r\n\r\n", id="dots in disguise"),
        pytest.param(b"GET /mutate%00 HTTP/1.1\r\nHost: x\r\n\r\n", id="NUL in the path"),
        pytest.param(b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", id="no UTF-8 in the path"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", id="OPTIONS"),
        pytest.param(b"TRACE /validate HTTP/1.1\r\nHost: x\r\n\r\n", id="TRACE"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two hosts"),
        pytest.param(b"GET /livez HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(
            b"GET /livez?" + b"a=b&" * 500 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a query"
        ),
        pytest.param(
            b"POST /validate HTTP/1.1\r\nHost: x\r\nContent_Length: 99\r\n\r\n", id="an underscore"
        ),
    ],
)
def test_what_is_odd_and_still_http_is_answered_and_the_next_one_too(
    server: RunningServer, trusted: ssl.SSLContext, sent: bytes
) -> None:
    found = answers(server, trusted, sent + NEXT)
    assert [code for code, _ in found][-1:] == [200] or len(found) == 1
    assert all(200 <= code < 500 for code, _ in found)
    assert b"Traceback" not in b"".join(body for _, body in found)


def test_a_body_is_never_read_as_the_next_request(
    server: RunningServer, trusted: ssl.SSLContext
) -> None:
    """Nor is the next request read as the body's rest: three in one packet are three."""
    body = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    one = post(b"Content-Length: %d" % len(body), body=body)
    found = answers(server, trusted, one + one + NEXT)
    assert [code for code, _ in found] == [400, 400, 200]


# -- JSON ------------------------------------------------------------------------------------------


def review(text: str) -> bytes:
    """A real review with this text as the value of a label that nobody reads."""
    document = recorded("create-pods")
    document["request"]["object"]["metadata"]["annotations"] = {"example.com/x": "HERE"}
    return json.dumps(document).encode().replace(b'"HERE"', text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("NaN", id="NaN"),
        pytest.param("Infinity", id="Infinity"),
        pytest.param("-Infinity", id="-Infinity"),
        pytest.param('"\\ud800"', id="a lone surrogate, escaped"),
        pytest.param('"\ud800"', id="a lone surrogate in UTF-8"),
        pytest.param('"\\udc00\\ud800"', id="surrogates the wrong way round"),
        pytest.param("01", id="a zero before a number"),
        pytest.param("1.", id="half a number"),
        pytest.param("'x'", id="single quotes"),
        pytest.param('"\t"', id="a control character"),
        pytest.param("[1,]", id="a comma too many"),
        pytest.param("{} // why", id="a comment"),
        pytest.param("[" * 2000 + "]" * 2000, id="2,000 deep"),
        pytest.param("[" * 200_000, id="200,000 deep and no end"),
        pytest.param("[" + "[]," * 260_000 + "[]]", id="260,000 lists"),
    ],
)
def test_text_that_is_no_json_is_400_and_says_so(server: RunningServer, text: str) -> None:
    answer = server.client.post("/validate", content=review(text), headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["kind"] == "Status"
    assert "body" in answer.json()["message"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("9" * 400, id="a number of 400 digits"),
        pytest.param("-" + "9" * 5000, id="a number of 5,000 digits"),
        pytest.param("1e400", id="past a double"),
        pytest.param("1e-400", id="below a double"),
        pytest.param('"\\u0000\\u001b[2J"', id="control characters, escaped"),
        pytest.param('"\\ud83d\\ude00"', id="a pair of surrogates"),
        pytest.param("[" * 200 + "]" * 200, id="200 deep"),
        pytest.param("[" + "1," * 200_000 + "1]", id="200,000 wide"),
        pytest.param("{" + ",".join(f'"k{n}":1' for n in range(50_000)) + "}", id="50,000 keys"),
        pytest.param('"' + "x" * 3_000_000 + '"', id="3 MB of text"),
        pytest.param('"a","example.com/x":"b"', id="a key twice"),
    ],
)
@pytest.mark.parametrize("endpoint", ["mutate", "validate"])
def test_json_that_is_only_extreme_is_decided_or_refused(
    server: RunningServer, endpoint: str, text: str
) -> None:
    """And where it is decided, it is refused for its image as ever: nothing extreme lets a pod by."""
    answer = server.client.post(f"/{endpoint}", content=review(text), headers=JSON)
    assert answer.status_code in {200, 400}
    if answer.status_code == 200 and endpoint == "validate":
        response = answer.json()["response"]
        assert response["allowed"] is False
        assert "[unscanned]" in response["status"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xef\xbb\xbf" + review('"x"'), id="a byte order mark"),
        pytest.param(review('"x"').decode().encode("utf-16"), id="UTF-16"),
        pytest.param(review('"x"').decode().encode("utf-32"), id="UTF-32"),
        pytest.param(review('"x"') + b"{}", id="two documents"),
        pytest.param(review('"x"') + b"\x00", id="NUL behind it"),
        pytest.param(review('"HERE2"').replace(b"HERE2", b"\xff\xfe\x80"), id="no UTF-8 in text"),
        pytest.param(review('"HERE2"').replace(b"HERE2", b"\xc0\x80"), id="an overlong NUL"),
    ],
)
def test_bytes_that_are_no_json_are_400(server: RunningServer, body: bytes) -> None:
    answer = server.client.post("/validate", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["kind"]) == (400, "Status")


def test_of_a_key_that_stands_twice_the_last_counts_as_with_the_api_server(
    server: RunningServer,
) -> None:
    """Go's decoder keeps the last too, so what is judged is what is stored; the API server itself sends none."""
    document = json.dumps(recorded("create-pods"))
    twice = document.replace('"uid":', '"uid": "first", "uid":', 1)
    answer = server.client.post("/validate", content=twice.encode(), headers=JSON).json()
    assert answer["response"]["uid"] == recorded("create-pods")["request"]["uid"]
