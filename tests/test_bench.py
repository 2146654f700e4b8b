"""What is measured is what it is said to be, and no figure is lost on its way to the page."""

from collections import Counter
from itertools import islice

import orjson
import pytest

from bench.corpus import ALIKE, make_scan, make_scans
from bench.endurance import make_requests
from bench.markdown import render_markdown
from bench.ownload import request
from bench.reviews import make_reviews
from bench.row import Aim, Row
from bench.table import number, render
from webhook.core.decision import Snapshot, mutate, validate
from webhook.core.review import Request, parse_review
from webhook.core.scan import compact, read_scan_document
from webhook.core.verdict import build_index

SCANNED = "2099-01-01T00:00:00Z"
NOW = 4070908800.0  # which is that time
KNOWN = Snapshot(scans=build_index(make_scans(3 * ALIKE, SCANNED)))


def test_scans_that_are_made_are_those_that_would_be_read() -> None:
    count = 3 * ALIKE
    read = [compact(read_scan_document(make_scan(number, SCANNED))) for number in range(count)]
    assert list(make_scans(count, SCANNED)) == read


@pytest.mark.parametrize("number", [0, ALIKE, 2 * ALIKE])
def test_the_reviews_are_allowed_and_denied_as_said_and_patched_in_three_places(
    number: int,
) -> None:
    reviews = make_reviews(number)
    assert len(mutate(parse_review(reviews.created), KNOWN).patch) == 3
    assert validate(parse_review(reviews.patched), KNOWN, NOW).word == "allowed"
    assert validate(parse_review(reviews.refused), KNOWN, NOW).word == "denied"


def asked(count: int) -> list[tuple[str, Request]]:
    """The path and the review of each of the requests under which memory is looked at."""
    found = []
    for written in islice(make_requests(), count):
        head, _, body = written.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        found.append((head.split()[1].decode(), parse_review(body)))
    return found


def test_requests_under_which_memory_is_looked_at_all_differ_and_one_in_fifty_is_refused() -> None:
    found = asked(300)
    assert len({review.uid for _, review in found}) == 300
    assert len({orjson.dumps(review.object) for _, review in found}) == 300
    words = Counter(
        "patched" if path == "/mutate" else validate(review, KNOWN, NOW).word
        for path, review in found
    )
    assert words == {"patched": 150, "allowed": 144, "denied": 6}


def test_a_request_tells_its_headers_and_its_length() -> None:
    written = request("localhost:1", "/x", b"{}", {"Authorization": "Bearer t"})
    head, _, body = written.partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.decode().split("\r\n") == [
        "POST /x HTTP/1.1",
        "Host: localhost:1",
        "Content-Type: application/json",
        "Content-Length: 2",
        "Authorization: Bearer t",
    ]


def row(figure: str, *samples: float, aim: Aim | None = None, floor: float = 2.0) -> Row:
    return Row(
        group="Speed",
        figure=figure,
        unit="/s",
        samples=samples,
        floor="bare",
        floor_samples=[floor] * len(samples),
        aim=aim,
    )


HALF = Aim(of="ratio", side="at least", limit=0.5)


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    drifting = Row(
        group="", figure="", unit="s", samples=[1, 8, 3], floor="bare", floor_samples=[2, 4, 6]
    )
    assert (drifting.value, drifting.floor_value, drifting.ratio) == (3, 4, 0.5)


def test_an_aim_is_missed_on_its_wrong_side_and_where_nothing_was_measured_beside_it() -> None:
    assert row("a", 1.0, aim=HALF).met
    assert row("a", 0.9, aim=HALF).met is False
    assert row("a", 1.0).met is None
    alone = Row(group="", figure="a", unit="s", samples=[1.0], aim=HALF)
    assert alone.met is False


def test_the_page_tells_every_value_of_the_document_and_which_aims_are_missed() -> None:
    rows = [
        row("reads, 1 client", 11.0, aim=HALF),
        row("reads, 16 clients", 0.25, aim=HALF),
        row("writes, 1 client", 1234.0, floor=5e7),
        Row(group="Size", figure="one, alone", unit="bytes", samples=[77.0]),
    ]
    facts = {
        **dict.fromkeys(("nbgate", "python", "gunicorn", "orjson", "openssl", "go"), "1.2"),
        **dict.fromkeys(("skopeo", "kubernetes", "processor", "kernel", "load"), "3.4"),
        **dict.fromkeys(("processors", "memoryMiB", "loadAverage", "loadAverageAfter"), 5),
        **dict.fromkeys(("seconds", "rounds"), 6),
        "measuredAt": "2026-11-23T01:02:03Z",
    }
    page = render_markdown({**facts, "rows": [one.document() for one in rows]})
    _, _, table = page.partition("|---|---|---|---|---|---|\n")
    assert page.startswith("2026-11-23, 5 processors")
    assert table.splitlines() == [
        "| **Speed** | | | | | |",
        "| reads: 1 · 16 clients | 11 · 0.25 /s | 2: bare | 5.50 · 0.12 | >= 0.50 x floor | **not** 16 clients |",
        "| writes: 1 client | 1,234 /s | 50,000,000: bare | 0.00002 |  |  |",
        "| **Size** | | | | | |",
        "| one: alone | 77 bytes |  |  |  |  |",
    ]


def test_the_terminal_tells_every_row() -> None:
    rows = [row("reads, 1 client", 11.0, aim=HALF), row("reads, 16 clients", 0.25, aim=HALF)]
    lines = render(rows).splitlines()
    for one in rows:
        (line,) = (line for line in lines if one.figure in line)
        assert number(one.value) in line
        assert line.endswith("yes" if one.met else "NO")
