"""When a request is whole: bytes are collected until then, so that nothing ever waits for a client.

Only the framing is read here (RFC 9112, section 6), just enough to know where a request ends. `httprequest` reads the
request itself, and judges everything that is wrong with it.
"""

import re
from enum import Enum

# Objects are at most about 3 MiB in etcd, and an UPDATE carries two of them, with what JSON adds; controller-runtime
# derives the same (pkg/webhook/admission/http.go).
MAX_BODY = 7 * 1024 * 1024
# The API server's is some hundred bytes; Go's net/http allows 1 MiB, most servers 8 to 64 KiB.
MAX_HEAD = 64 * 1024

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class State(Enum):
    """How far a request has come."""

    IDLE = "nothing of it is there"
    PARTIAL = "some of it is there"
    WHOLE = "all of it is there, or as much as is needed to refuse it"


class RequestBuffer:
    """The bytes of one connection's next request.

    `declared` is the length of its body once the head is there, else 0. A body that is too long, or whose length is not
    said (the API server always says it), is not collected: the head alone is the request then, to be refused.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._head = 0
        self.declared = 0
        self.expects_continue = False

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        searched = max(len(self._bytes) - len(_END) + 1, 0)
        self._bytes += data
        if not self._head:
            self._find_head(searched)

    def _find_head(self, start: int) -> None:
        end = self._bytes.find(_END, start, MAX_HEAD)
        if end < 0:
            return
        self._head = end + len(_END)
        head = bytes(self._bytes[: self._head])
        length = _LENGTH.search(head)
        self.declared = int(length[1]) if length else 0
        self.expects_continue = _EXPECT.search(head) is not None

    def __len__(self) -> int:
        return len(self._bytes)

    @property
    def collects(self) -> int:
        """How many bytes of body will be held for this request."""
        return self.declared if self.declared <= MAX_BODY else 0

    @property
    def state(self) -> State:
        """Tell how far the request has come."""
        if not self._bytes:
            return State.IDLE
        if not self._head:
            return State.WHOLE if len(self._bytes) >= MAX_HEAD else State.PARTIAL
        whole = len(self._bytes) >= self._head + self.collects
        return State.WHOLE if whole else State.PARTIAL

    def take(self) -> bytes:
        """Take the whole request out; what came after it stays for the next."""
        # of a head that is too long no more than that: else it would be read where its end came in the same piece
        end = self._head + self.collects if self._head else MAX_HEAD
        data, rest = bytes(self._bytes[:end]), bytes(self._bytes[end:])
        self._bytes = bytearray()
        self._head = self.declared = 0
        self.expects_continue = False
        if rest:
            self.feed(rest)
        return data
