"""One question to a server, over a connection of its own.

What is measured here is speed, so no certificate is checked.
"""

import http.client
import json
import ssl
from typing import Any

from bench.child import CouldNotMeasure

_SECONDS = 10.0


def is_ready(port: int) -> bool:
    """Tell whether nbgate says that it is ready."""
    status, _ = _ask(port, "GET", "/readyz", b"")
    return status == 200


def allows(port: int, review: bytes) -> bool:
    """Tell whether a server answers a review that is posted to /validate, and allows it."""
    status, body = _ask(port, "POST", "/validate", review)
    return status == 200 and json.loads(body)["response"]["allowed"] is True


def response_of(port: int, path: str, review: bytes) -> dict[str, Any]:
    """Give the response in a server's answer to a review. Raises CouldNotMeasure where it is none."""
    status, body = _ask(port, "POST", path, review)
    if status != 200:
        raise CouldNotMeasure(f"{path}: {status} {body[:500]!r}")
    response: dict[str, Any] = json.loads(body)["response"]
    return response


def _ask(port: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """Give the answer's status and body; 0 where there is none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_SECONDS, context=context)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()
