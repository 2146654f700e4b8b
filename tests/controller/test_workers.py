"""The threads: an image that meets a fault of ours ends none of them."""

from __future__ import annotations

import time
from typing import cast

from tests.controller.imagescans import document
from webhook.controller.backlog import Backlog
from webhook.controller.claim import Claiming
from webhook.controller.job import Job
from webhook.controller.keeper import Keeper
from webhook.controller.metrics import Metrics
from webhook.controller.schedule import Terms
from webhook.controller.turn import Work
from webhook.controller.workers import Workers
from webhook.kube import Kube
from webhook.scanner.scanning import ScanSettings


def test_a_fault_of_ours_ends_no_worker_and_the_image_rests() -> None:
    backlog = Backlog(Terms())
    for number in range(6):
        backlog.update(document(name=f"scan-{number}"))
    # Without an API server every turn fails in a way that nobody foresaw.
    claiming = Claiming(kube=cast("Kube", None), identity="x", length=60, now=time.time)
    work = Work(
        backlog=backlog,
        claiming=claiming,
        keeper=Keeper(60, print),
        job=Job(settings=ScanSettings()),
        recorder=Metrics(),
        report=print,
    )
    workers = Workers(work, 2)
    workers.start()
    deadline = time.monotonic() + 10
    while backlog.pending and time.monotonic() < deadline:
        time.sleep(0.01)
    assert backlog.pending == 0
    assert workers.alive
    workers.stop(1)
    workers.join(5)
    assert not workers.alive
