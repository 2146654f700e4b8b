"""One whole HTTP request, read by llhttp (through httptools), the parser of Node.js.

It judges everything about a request's form. Strict as it is by default, it takes no request that two servers could read
in two ways (RFC 9112, section 11.2).
"""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserInvalidURLError,
    HttpParserUpgrade,
    HttpRequestParser,
    parse_url,
)

# What most servers allow; the API server's are a tenth of each.
_TARGET_LIMIT = 4 * 1024
_FIELD_LIMIT = 8 * 1024
_FIELDS_LIMIT = 100
_LENGTH_DIGITS = 18  # as RequestBuffer, which looks for no longer ones


class BadRequest(Exception):
    """The bytes are no request that is answered; `code` is the HTTP status to refuse them with."""

    def __init__(self, code: int, problem: str) -> None:
        super().__init__(f"malformed request: {problem}")
        self.code = code


class HttpRequest(NamedTuple):
    """What is looked at of a request.

    Attributes:
        path: percent-decoded; bytes that are no ASCII stand as Latin-1, as WSGI has it (PEP 3333).
        query: what follows the `?`, as it came.
        length: of the body as it was declared; None where it was not.
        body: empty where it is not all there: too long, or of no declared length.
        keeps: the connection may carry another request after this one.
    """

    method: str
    path: str
    query: str
    content_type: str
    length: int | None
    body: bytes
    keeps: bool


def read_request(data: bytes) -> HttpRequest:
    """Read the bytes of one request, from its line to the end of its body or, where that is not collected, its head.

    Raises:
        BadRequest: they are not that.
    """
    message = _Message()
    parser = HttpRequestParser(message)
    try:
        parser.feed_data(data)
    except HttpParserUpgrade as offer:
        # A server may ignore it (RFC 9110, section 7.8); but what follows the head was not read as a body.
        if offer.args[0] != len(data):
            raise BadRequest(400, "it offers to change the protocol, and has a body") from None
    except HttpParserCallbackError as error:
        raise _cause(error) from None
    except HttpParserError as error:
        raise BadRequest(400, str(error)) from None
    if not message.headed:
        raise BadRequest(431, "its head is too long, or has no end")
    method = parser.get_method()
    line = b"%s %s HTTP/1." % (method, message.target)
    if not data.startswith(line):
        raise BadRequest(400, "its line is not METHOD TARGET HTTP/1.1")
    path, query = _split(message.target)
    fields = message.fields
    length = fields.get(b"content-length")
    # what is chunked is not collected: where it would end, only its parser knows
    whole = message.whole and b"transfer-encoding" not in fields
    return HttpRequest(
        method=method.decode("ascii"),
        path=path,
        query=query,
        content_type=fields.get(b"content-type", b"").decode("latin-1"),
        length=None if length is None else int(length),
        body=message.body if whole else b"",
        # where an offer to change the protocol ends a request that has more, none of that is here
        keeps=whole
        and len(message.body) == int(length or 0)
        and data[len(line)] == _ONE
        and b"close" not in fields.get(b"connection", b"").lower(),
    )


_ONE = ord("1")  # HTTP/1.0 has no connections that go on, unless both sides say so


class _Message:
    """What llhttp tells of one message. A second one in the same bytes is no request: the first ends elsewhere then."""

    __slots__ = ("body", "fields", "headed", "lines", "target", "whole")

    def __init__(self) -> None:
        self.target = b""
        self.fields: dict[bytes, bytes] = {}
        self.lines = 0
        self.headed = False
        self.body = b""
        self.whole = False

    def on_message_begin(self) -> None:
        if self.whole:
            raise BadRequest(400, "there is more of it than its length says")

    def on_url(self, target: bytes) -> None:
        if len(target) > _TARGET_LIMIT:
            raise BadRequest(414, f"its target is longer than {_TARGET_LIMIT} bytes")
        self.target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.lines += 1
        if self.lines > _FIELDS_LIMIT:
            raise BadRequest(431, f"it has more than {_FIELDS_LIMIT} fields")
        name = name.lower()
        if name in self.fields:
            # several lines of one name are one list (RFC 9110, section 5.2)
            value = self.fields[name] + b", " + value
        if len(value) > _FIELD_LIMIT:
            raise BadRequest(431, f"a field is longer than {_FIELD_LIMIT} bytes")
        if name == b"content-length" and len(value) > _LENGTH_DIGITS:
            raise BadRequest(400, f"its length has more than {_LENGTH_DIGITS} digits")
        self.fields[name] = value

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, body: bytes) -> None:
        # in one piece, for all bytes of it were there at once
        self.body = body

    def on_message_complete(self) -> None:
        self.whole = True


def _cause(error: HttpParserCallbackError) -> Exception:
    """Give what a callback raised."""
    cause = error.__context__
    return cause if isinstance(cause, BadRequest) else error


# A cluster's clients send the same few again and again.
@lru_cache(maxsize=64)
def _split(target: bytes) -> tuple[str, str]:
    """Split a target into path and query, whether it names a server too or not (RFC 9112, section 3.2)."""
    try:
        url = parse_url(target)
    except HttpParserInvalidURLError:
        raise BadRequest(400, "its target is neither a path nor a URL") from None
    path, query = url.path or b"/", url.query or b""
    return unquote(path.decode("ascii"), "latin-1"), query.decode("ascii")
