"""Which hosts can stand in a certificate, and which cover which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.errors import HostError
from certs.hosts import MOST_HOSTS, covers, normalize, normalize_all

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)
ADDRESSES = st.ip_addresses().map(str)


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("localhost", "localhost"),
        ("NBGate.Kubeflow.SVC", "nbgate.kubeflow.svc"),
        ("my_machine", "my_machine"),
        ("*.kubeflow.svc", "*.kubeflow.svc"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("a" * 63 + ".svc", "a" * 63 + ".svc"),
    ],
)
def test_a_host_has_one_normal_form(host: str, normal: str) -> None:
    assert normalize(host) == normal


@pytest.mark.parametrize(
    ("host", "cure"),
    [
        ("", "not a DNS name"),
        ("*", "whole first label"),
        ("*.com", "whole top-level domain"),
        ("a.*.com", "whole first label"),
        ("web*.example.com", "whole first label"),
        ("localhost.", "ends with a dot"),
        ("a..b", "not a DNS name"),
        ("-a.example", "not a DNS name"),
        ("a-.example", "not a DNS name"),
        ("a" * 64 + ".example", "1 to 63 letters"),
        (".".join(["a" * 60] * 5), "longer than 253"),
        ("bücher.example", "xn--"),
        ("256.1.1.1", "looks like an IPv4 address"),
        ("10.0.0.1:8443", "without port"),
        ("[::1]", "brackets"),
        ("fe80::1%eth0", "zone"),
        ("https://localhost", "not a DNS name"),
        ("localhost\n", "not a DNS name"),
        ("a b", "not a DNS name"),
    ],
)
def test_what_is_no_host_is_refused_with_the_cure(host: str, cure: str) -> None:
    with pytest.raises(HostError, match=cure.replace("(", r"\(")):
        normalize(host)


@given(st.text(max_size=300))
def test_any_text_is_a_host_or_a_host_error(text: str) -> None:
    try:
        normal = normalize(text)
    except HostError as error:
        assert str(error).isprintable()  # noqa: PT017  both outcomes are right, and each has a property
    else:
        assert normalize(normal) == normal


@given(NAMES | ADDRESSES)
def test_a_host_covers_itself(host: str) -> None:
    assert covers([normalize(host)], normalize(host))


@given(NAMES, LABELS, LABELS)
def test_a_wildcard_covers_exactly_one_label(rest: str, one: str, two: str) -> None:
    domain = f"{rest}.example"
    assert covers([f"*.{domain}"], f"{one}.{domain}")
    assert not covers([f"*.{domain}"], domain)
    assert not covers([f"*.{domain}"], f"{two}.{one}.{domain}")


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (["*.0.0.1"], "127.0.0.1"),
        (["*.com"], "example.com"),
        (["*.example.com"], "*.sub.example.com"),
        (["*.b.example.com"], "*.example.com"),
        (["example.com"], "evil-example.com"),
        (["127.0.0.1"], "127.0.0.2"),
        ([], "localhost"),
    ],
)
def test_what_no_client_would_accept_is_not_covered(names: list[str], host: str) -> None:
    assert not covers(names, host)


def test_hosts_keep_their_order_and_stand_once() -> None:
    assert normalize_all(["B", "a", "b", "::1", "0::1"]) == ("b", "a", "::1")


@pytest.mark.parametrize("count", [0, MOST_HOSTS + 1])
def test_no_host_and_too_many_are_refused(count: int) -> None:
    with pytest.raises(HostError, match="host"):
        normalize_all([f"h{i}" for i in range(count)])
