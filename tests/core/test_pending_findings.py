"""Where the core departs from its contract: each test fails until its finding is mended, then moves to its file."""

import time

import orjson
import pytest

from tests.core.builders import (
    NOW,
    USER,
    Json,
    container,
    finished_container,
    pod,
    request,
    review,
    scan_document,
    snapshot,
    workspace,
)
from webhook.core.decision import validate
from webhook.core.review import ReviewError, parse_review
from webhook.core.words import cut


def test_an_empty_resource_is_named_where_it_stands() -> None:
    """It says request.resource.resource.resource."""
    sent = review(pod())
    sent["request"]["resource"] = {}
    with pytest.raises(ReviewError) as caught:
        parse_review(orjson.dumps(sent))
    assert str(caught.value) == "request.resource.resource is missing"


def test_dropping_the_label_makes_no_sidecar_the_notebook() -> None:
    """The pod's own name stands in for a label that is gone, no container has it, and the first one is judged."""

    def labelled(labels: Json) -> Json:
        env = [{"name": "NB_PREFIX", "value": "/notebook/team-a/nb"}]
        side, serving = container("side", "unscanned:1"), finished_container("nb", env=env)
        meta = {"name": "bare-0", "labels": labels}
        return pod(side, serving, metadata=meta, volumes=[workspace("home")])

    stored, dropped = labelled({"notebook-name": "nb"}), labelled({})
    decision = validate(request(dropped, old=stored, user=USER), snapshot(scan_document()), NOW)
    assert decision.violations == ()


def test_a_text_is_cut_before_it_is_cleaned() -> None:
    """Each of an image's megabytes of control characters costs 60 ms, several times per decision."""
    start = time.process_time()
    cut("\x9b" * 1_500_000, 120)
    assert time.process_time() - start < 0.010


def test_an_update_of_a_pod_without_any_name_is_decided_on() -> None:
    """It raises IndexError: no label, no owner and no name leave notebook_names empty."""
    nameless = pod(notebook="", metadata={"name": ""})
    decision = validate(request(nameless, old=nameless, user=USER), snapshot(), NOW)
    assert decision.violations == ()
