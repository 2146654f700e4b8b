"""The HTTP edge, asked over real TLS."""

import json
import socket
import ssl
import warnings

import httpx
import pytest

from tests.server.running import RunningServer, recorded
from webhook.server.requestbuffer import MAX_BODY

JSON = {"Content-Type": "application/json"}


def status(response: httpx.Response) -> tuple[int, str]:
    """The code and message of an error, which must be a Status that agrees with HTTP."""
    body = response.json()
    assert body["kind"] == "Status"
    assert body["apiVersion"] == "v1"
    assert body["code"] == response.status_code
    assert response.headers["content-type"] == "application/json"
    return response.status_code, body["message"]


def test_a_review_is_answered_with_its_own_uid_and_version(server: RunningServer) -> None:
    document = recorded("create-pods")
    answered = server.client.post("/validate?timeout=5s", json=document).json()
    assert answered["apiVersion"] == "admission.k8s.io/v1"
    assert answered["kind"] == "AdmissionReview"
    assert answered["response"]["uid"] == document["request"]["uid"]


def test_a_denial_is_http_200_with_a_403_inside(server: RunningServer) -> None:
    response = server.review("validate", recorded("create-pods"))
    assert response["allowed"] is False
    assert response["status"]["code"] == 403
    assert "[unscanned]" in response["status"]["message"]
    assert "patch" not in response


def test_mutate_patches_and_denies_nothing(server: RunningServer) -> None:
    response = server.review("mutate", recorded("create-pods"))
    assert response["allowed"] is True
    assert response["patchType"] == "JSONPatch"


def test_a_deletion_is_never_blocked(server: RunningServer) -> None:
    for endpoint in ("mutate", "validate"):
        assert server.review(endpoint, recorded("delete-pods"))["allowed"] is True


@pytest.mark.parametrize("kind", ["text/plain", "application/jsonx", "", "application/xml"])
def test_another_content_type_is_415(server: RunningServer, kind: str) -> None:
    response = server.client.post("/validate", content=b"{}", headers={"Content-Type": kind})
    code, message = status(response)
    assert code == 415
    assert "application/json" in message


def test_a_content_type_may_name_its_charset(server: RunningServer) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = json.dumps(recorded("create-pods"))
    assert server.client.post("/validate", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"NaN", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "must be an AdmissionReview object"),
        (b"{}", 'kind must be "AdmissionReview"'),
        (b'{"kind":"Pod","apiVersion":"v1"}', 'not "Pod"'),
        (
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{}}',
            "admissionReviewVersions",
        ),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}', "request"),
    ],
)
def test_what_is_no_review_is_400_and_says_what_is_wrong(
    server: RunningServer, body: bytes, words: str
) -> None:
    code, message = status(server.client.post("/validate", content=body, headers=JSON))
    assert code == 400
    assert words in message


def test_a_wrong_type_deep_inside_is_400_with_its_path(server: RunningServer) -> None:
    document = recorded("create-pods")
    document["request"]["object"]["spec"]["containers"][0]["env"] = [{"name": 7}]
    code, message = status(server.client.post("/mutate", json=document))
    assert code == 400
    assert "request.object.spec.containers[0].env[0].name must be text" in message


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_a_wrong_method_is_405_and_names_the_right_one(
    server: RunningServer, method: str, path: str
) -> None:
    response = server.client.request(method, path)
    assert response.status_code == 405
    assert method == "HEAD" or status(response)[0] == 405
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize("path", ["/other", "//mutate", "/%2fvalidate", "/mutate/"])
def test_another_path_is_404(server: RunningServer, path: str) -> None:
    logged = len(server.log)
    assert status(server.client.post(f"{server.url}{path}", json={}))[0] == 404
    assert server.log[logged:] == []


def test_a_large_body_is_413_before_it_is_sent(server: RunningServer) -> None:
    head = (
        "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {MAX_BODY + 1}\r\n\r\n"
    )
    assert answer_to(server, head.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_just_the_limit_is_read(server: RunningServer) -> None:
    body = b" " * (MAX_BODY - 2) + b"{}"
    code, message = status(server.client.post("/validate", content=body, headers=JSON))
    assert code == 400
    assert "AdmissionReview" in message


def test_a_body_whose_length_is_not_said_is_411(server: RunningServer) -> None:
    response = server.client.post("/validate", content=iter([b"{}"]), headers=JSON)
    assert status(response)[0] == 411


def test_a_body_that_was_announced_is_asked_for(server: RunningServer) -> None:
    body = json.dumps(recorded("create-pods")).encode()
    head = (
        "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with connected(server) as wire:
        wire.sendall(head.encode())
        assert wire.recv(1000).startswith(b"HTTP/1.1 100 ")
        wire.sendall(body)
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /validate HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"POST /validate HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /validate HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"a" * 200_000,
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_ends(
    server: RunningServer, noise: bytes
) -> None:
    answer = answer_to(server, noise)
    assert answer.startswith(b"HTTP/1.1 4")
    assert b'"kind":"Status"' in answer


def test_two_requests_in_one_packet_get_two_answers(server: RunningServer) -> None:
    one = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert answer_to(server, one + last).count(b"HTTP/1.1 200 ") == 2


def test_a_connection_is_kept_for_the_next_request(server: RunningServer) -> None:
    with connected(server) as wire:
        for _ in range(3):
            wire.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"Connection: close" not in wire.recv(65536)


@pytest.mark.parametrize("query", ["?timeout=soon", "?timeout=", "?timeout=-1s", "?timeout=5"])
def test_a_timeout_that_is_none_is_400(server: RunningServer, query: str) -> None:
    response = server.client.post(f"/validate{query}", json=recorded("create-pods"))
    assert status(response)[0] == 400


def test_what_the_api_server_waits_for_no_more_is_not_decided(server: RunningServer) -> None:
    before = len(server.records())
    response = server.client.post("/validate?timeout=0s", json=recorded("create-pods"))
    code, message = status(response)
    assert code == 503
    assert "timeout" in message
    assert len(server.records()) == before


def test_readiness_names_its_conditions(server: RunningServer) -> None:
    body = server.client.get("/readyz").json()
    assert body["ready"] is True
    named = {condition["type"]: condition for condition in body["conditions"]}
    assert {"Certificate", "Policy", "Scans", "Serving", "AuditLog"} <= set(named)
    assert all(condition["message"] for condition in named.values())


def test_liveness_is_plain(server: RunningServer) -> None:
    assert server.client.get("/livez").text == "ok\n"


def test_metrics_count_what_was_decided_and_name_no_user_input(server: RunningServer) -> None:
    server.review("validate", recorded("create-pods"))
    text = server.client.get("/metrics").text
    line = (
        'nbgate_admission_requests_total{decision="denied",endpoint="validate",operation="CREATE"}'
    )
    assert line in text
    assert 'nbgate_violations_total{action="Deny",requirement="unscanned"}' in text
    assert 'nbgate_scan_lookups_total{result="miss"}' in text
    for name in (
        "nbgate_admission_duration_seconds_bucket",
        "nbgate_scans{",
        "nbgate_snapshot_age_seconds",
        "nbgate_unreadable_documents{",
        "nbgate_certificate_expiry_timestamp_seconds",
        "nbgate_build_info{",
    ):
        assert name in text
    assert "team-a" not in text
    assert "my-nb" not in text


def test_what_is_not_decided_counts_as_an_error(server: RunningServer) -> None:
    server.client.post("/validate", content=b"{", headers=JSON)
    line = (
        'nbgate_admission_requests_total{decision="error",endpoint="validate",operation="unknown"}'
    )
    assert line in server.client.get("/metrics").text


def test_tls_older_than_1_2_is_refused(server: RunningServer) -> None:
    context = ssl.create_default_context(cafile=str(server.authority))
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the old version is what is asked for
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", server.port), 5) as raw,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(raw, server_hostname="localhost")


def connected(server: RunningServer) -> ssl.SSLSocket:
    """A TLS connection to the server."""
    raw = socket.create_connection(("127.0.0.1", server.port), 10)
    context = ssl.create_default_context(cafile=str(server.authority))
    return context.wrap_socket(raw, server_hostname="localhost")


def answer_to(server: RunningServer, data: bytes) -> bytes:
    """What the server says to these bytes, until it closes."""
    received = b""
    with connected(server) as wire:
        wire.sendall(data)
        while True:
            try:
                part = wire.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                return received
            if not part:
                return received
            received += part
