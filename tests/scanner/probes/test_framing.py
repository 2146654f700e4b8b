from __future__ import annotations

import pytest

from webhook.scanner.probes.framing import frame_guard


@pytest.mark.parametrize(
    "policies",
    [
        [],
        ["default-src 'none'"],
        ["frame-ancestors 'self'"],
        ["frame-ancestors 'self'; report-uri /api/security/csp-report"],
        ["default-src 'self'; Frame-Ancestors *"],
        ["frame-ancestors https:"],
        ["frame-ancestors https://kubeflow.example.com"],
    ],
)
def test_what_lets_the_dashboard_frame_it_is_no_guard(policies: list[str]) -> None:
    assert frame_guard(policies, []) is None


@pytest.mark.parametrize(
    "policy",
    ["frame-ancestors 'none'", "frame-ancestors", "frame-ancestors https://other.example.com"],
)
def test_what_forbids_the_dashboard_is_named(policy: str) -> None:
    assert frame_guard([policy], []) == policy
    assert frame_guard([f"default-src *; {policy}"], []) is not None


def test_every_policy_must_allow_it() -> None:
    assert frame_guard(["frame-ancestors *", "frame-ancestors 'none'"], []) is not None
    assert frame_guard(["frame-ancestors *, frame-ancestors 'none'"], []) is not None


@pytest.mark.parametrize("options", [[], ["SAMEORIGIN"], ["ALLOW-FROM https://x"], ["nonsense"]])
def test_the_same_origin_may_frame_it_for_the_dashboard_is_that(options: list[str]) -> None:
    assert frame_guard([], options) is None


@pytest.mark.parametrize("options", [["DENY"], [" deny "], ["SAMEORIGIN", "DENY"], ["x, DENY"]])
def test_deny_is_a_guard(options: list[str]) -> None:
    assert frame_guard([], options) == "X-Frame-Options: DENY"


def test_where_a_policy_speaks_of_frames_the_older_header_does_not_count() -> None:
    assert frame_guard(["frame-ancestors *"], ["DENY"]) is None
    assert frame_guard(["default-src *"], ["DENY"]) is not None


def test_a_long_list_is_cut() -> None:
    guard = frame_guard(["frame-ancestors " + "https://a.example.com " * 1000], [])
    assert guard is not None
    assert len(guard) == 200
