"""What goes wrong again and again is told now and then."""

from __future__ import annotations

from webhook.controller.complaints import Complaints


def test_the_same_sentence_comes_once_a_minute_and_another_at_once() -> None:
    told: list[str] = []
    now = 0.0
    complain = Complaints(told.append, clock=lambda: now)
    for second in range(120):
        now = float(second)
        complain("no answer")
        if second == 5:
            complain("another thing")
    assert told == ["no answer", "another thing", "no answer"]


def test_sentences_without_end_are_not_all_told_nor_remembered() -> None:
    told: list[str] = []
    complain = Complaints(told.append, clock=lambda: 0.0)
    for number in range(5000):
        complain(f"number {number}")
    assert len(told) == 1000
