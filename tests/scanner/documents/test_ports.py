import time

import pytest

from webhook.core.reading import Malformed
from webhook.scanner.documents.ports import tcp_ports


@pytest.mark.parametrize(
    ("texts", "ports"),
    [
        (["8888/tcp"], (8888,)),
        (["8888"], (8888,)),
        (["8888/"], (8888,)),
        (["8888/TCP"], (8888,)),
        (["8000-8003/tcp"], (8000, 8001, 8002, 8003)),
        (["53/udp", "9/sctp", "100-200/udp"], ()),
        (["9000", "80/tcp", "80", "79-81"], (79, 80, 81, 9000)),
        (["10-20", "12-15", "18-22"], tuple(range(10, 23))),
        (["1", "65535"], (1, 65535)),
        ([], ()),
    ],
)
def test_tcp_ports_are_given_once_and_ascending(texts: list[str], ports: tuple[int, ...]) -> None:
    assert tcp_ports(texts) == ports


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "65536/tcp",
        "99999",
        "20-10",
        "0-5",
        "",
        "tcp",
        "80/http",
        "-1",
        "80-",
        "8\n",
        "٨٨",
        "$PORT",
        "9/\u017fctp",
    ],
)
def test_what_is_no_port_is_refused_and_shown(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        tcp_ports(["8888", text])
    assert ascii(text) in str(caught.value)


def test_a_hundred_thousand_ranges_of_all_ports_take_no_longer_than_one() -> None:
    texts = [f"{low:05}-65535" for low in range(1, 60_000)]
    start = time.monotonic()
    assert len(tcp_ports(texts)) == 65535
    assert time.monotonic() - start < 2
