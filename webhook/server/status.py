"""Errors as the API server and people read them: a Kubernetes Status in JSON."""

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
