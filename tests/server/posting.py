"""Reviews posted to the two endpoints, as the worker hands them over, without a server around them."""

import time

from webhook.server.admission import AdmissionEndpoints, Arrival, Services
from webhook.server.httpanswer import JSON, Answer
from webhook.server.httprequest import HttpRequest


def post(services: Services, endpoint: str, body: bytes) -> Answer:
    """Post a body to an endpoint by its name, and wait for its record to be written."""
    request = HttpRequest(
        method="POST",
        path=f"/{endpoint}",
        query="",
        content_type=JSON,
        length=len(body),
        body=body,
        keeps=True,
    )
    found = AdmissionEndpoints(services)(request, Arrival(time.monotonic(), verified=False))
    assert found is not None, "it is one of the two endpoints"
    return found if isinstance(found, Answer) else found()
