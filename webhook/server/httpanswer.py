"""What a request is answered with, and its bytes in HTTP/1.1."""

import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from webhook.server.status import render_status

JSON = "application/json"


class Answer(NamedTuple):
    """A status with its body; `fields` are header fields beyond those that every answer has."""

    code: int
    body: bytes
    content_type: str = JSON
    fields: tuple[tuple[str, str], ...] = ()


# The rest of an answer that may wait: for a disk.
Later = Callable[[], Answer]


def refusal(code: int, problem: str) -> Answer:
    """Answer with a Status (meta/v1) that says what is wrong."""
    return Answer(code, render_status(code, problem))


def render_http(answer: Answer, *, keeps: bool, head_only: bool = False) -> bytes:
    """Write an answer; one that does not keep the connection says so. `head_only` is for HEAD."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in answer.fields)
    head = (
        f"{_STATUS_LINES[answer.code]}Date: {_date(int(time.time()))}\r\n"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
        f"{fields}{'' if keeps else _CLOSE}\r\n"
    )
    return head.encode("latin-1") + (b"" if head_only else answer.body)


_CLOSE = "Connection: close\r\n"
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
