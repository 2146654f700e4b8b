"""Errors as the API server and people read them: a Kubernetes Status in JSON."""

from http import HTTPStatus

import orjson

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    404: "NotFound",
    405: "MethodNotAllowed",
    411: "BadRequest",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def render_status(code: int, message: str) -> bytes:
    """Write a Status (meta/v1) for a failure."""
    status = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": _REASONS.get(code, "BadRequest"),
        "message": f"nbgate: {message}",
    }
    return orjson.dumps(status)


def render_http(code: int, message: str) -> bytes:
    """Write a whole HTTP/1.1 answer that carries a Status and ends the connection."""
    body = render_status(code, message)
    head = (
        f"HTTP/1.1 {code} {HTTPStatus(code).phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
