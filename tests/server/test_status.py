"""Errors: a Status that agrees with HTTP, and an answer that ends its connection and says how long it is."""

import json
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.server.httpanswer import refusal, render_http
from webhook.server.status import render_status

CODES = st.sampled_from([code.value for code in HTTPStatus if code >= 400])


@given(CODES, st.text(max_size=200))
def test_a_status_carries_its_code_and_its_message_whole(code: int, message: str) -> None:
    status = json.loads(render_status(code, message))
    assert (status["apiVersion"], status["kind"], status["status"]) == ("v1", "Status", "Failure")
    assert (status["code"], status["message"]) == (code, f"nbgate: {message}")
    assert status["reason"].isalpha()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (400, "BadRequest"),
        (401, "Unauthorized"),
        (404, "NotFound"),
        (405, "MethodNotAllowed"),
        (413, "RequestEntityTooLarge"),
        (415, "UnsupportedMediaType"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
    ],
)
def test_the_reason_is_the_one_of_kubernetes(code: int, reason: str) -> None:
    """metav1.StatusReason; client-go's IsServiceUnavailable and the like look at it."""
    assert json.loads(render_status(code, "x"))["reason"] == reason


@given(CODES, st.text(max_size=200))
def test_an_answer_ends_its_connection_and_says_its_length(code: int, message: str) -> None:
    head, _, body = render_http(refusal(code, message), keeps=False).partition(b"\r\n\r\n")
    line, *headers = head.decode("ascii").split("\r\n")
    named = dict(header.split(": ", 1) for header in headers)
    assert line == f"HTTP/1.1 {code} {HTTPStatus(code).phrase}"
    assert named["Connection"] == "close"
    assert named["Content-Type"] == "application/json"
    assert int(named["Content-Length"]) == len(body)
    assert body == render_status(code, message)


@given(st.text(max_size=200))
def test_no_message_can_end_the_head_or_add_a_header(message: str) -> None:
    hostile = f"{message}\r\nSet-Cookie: a=b\r\n\r\n"
    head, _, body = render_http(refusal(400, hostile), keeps=False).partition(b"\r\n\r\n")
    assert b"Set-Cookie" not in head
    assert b"\r" not in body
    assert b"\n" not in body
