"""Answers that are no lists, or break off: one line with the cure each, and never taken for an empty cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kube.test_connecting import answering, kube_at
from webhook.kube import PODS, Kube
from webhook.kubeerrors import Unreachable

READS: dict[str, Callable[[Kube], object]] = {
    "get": lambda kube: kube.get(PODS, "a", "b"),
    "list": lambda kube: kube.list(PODS, "b", "x=y"),
    "pages": lambda kube: list(kube.pages(PODS)),
    "cached": lambda kube: list(kube.cached(PODS)),
    "version": lambda kube: kube.version(),
}
reads = pytest.mark.parametrize("read", READS.values(), ids=READS)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{}", b'{"items": {}, "metadata": {}}', b'{"major": "one", "minor": "27"}'],
)
@pytest.mark.parametrize("kind", ["list", "pages", "cached", "version"])
def test_an_answer_that_is_none_to_the_question_is_no_empty_one(
    tmp_path: Path, kind: str, body: bytes
) -> None:
    """An empty list would have the caller believe that everything was deleted."""
    with (
        answering(200, body) as server,
        kube_at(tmp_path, server) as kube,
        pytest.raises(Unreachable, match="is it an API server"),
    ):
        READS[kind](kube)


@reads
def test_an_answer_that_breaks_off_is_none(tmp_path: Path, read: Callable[[Kube], object]) -> None:
    whole = b'{"items": [], "metadata": {"resourceVersion": "1"}, "major": "1", "minor": "27"}'
    with (
        answering(200, whole, {"Content-Length": str(len(whole) + 1)}) as server,
        kube_at(tmp_path, server) as kube,
        pytest.raises(Unreachable) as raised,
    ):
        read(kube)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(("minor", "is_"), [("27", 27), ("27+", 27), (20, 20)])
def test_a_vendors_version_is_a_version(tmp_path: Path, minor: object, is_: int) -> None:
    body = json.dumps({"major": "1", "minor": minor}).encode()
    with answering(200, body) as server, kube_at(tmp_path, server) as kube:
        assert kube.version() == (1, is_)
