"""Which refusals are told, of all that are heard of at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.cluster.waiting import wait_for
from webhook.controller.refusals import Refusals
from webhook.core.document import format_time
from webhook.kube import Event, Page
from webhook.kubeerrors import Resource, Unreachable

Json = dict[str, Any]


def refused(name: str) -> Json:
    return {
        "metadata": {"name": f"{name}.1", "namespace": "team"},
        "involvedObject": {"kind": "StatefulSet", "name": name},
        "message": 'admission webhook "pods.nbgate.dev" denied the request: image x: [uid-1000] no',
        "lastTimestamp": format_time(time.time()),
    }


class Cluster:
    """Has Events about some StatefulSets, and fails whenever it is asked for the Notebook `broken`."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.told: list[str] = []

    def cached(self, *_: object, **__: object) -> Iterator[Page]:
        yield Page([refused(name) for name in self.names], "1")

    def pages(self, *_: object, **__: object) -> Iterator[Page]:
        yield Page([], "1")

    @contextmanager
    def watch(self, *_: object, **__: object) -> Iterator[Iterator[Event]]:
        yield self.silence()

    def silence(self) -> Iterator[Event]:
        time.sleep(2)
        yield from ()

    def get(self, resource: Resource, name: str, namespace: str) -> Json:
        if name == "broken":
            raise Unreachable(f"cannot get {resource.name} {name}")
        meta = {"name": name, "namespace": namespace, "uid": "u"}
        return {"apiVersion": "kubeflow.org/v1", "kind": "Notebook", "metadata": meta}

    def create(self, _: Resource, document: Json, __: str) -> Json:
        self.told.append(document["involvedObject"]["name"])
        return document


def test_one_that_cannot_be_told_keeps_no_other_waiting() -> None:
    cluster = Cluster("broken", "honest", "another")
    duty = Refusals(cluster)  # type: ignore[arg-type]  # all that it asks of one

    def run() -> bool:
        with suppress(Unreachable):
            duty.run(time.time())
        return len(cluster.told) == 2

    try:
        wait_for(run, 5, "two events")
    finally:
        duty.halt()

    assert sorted(cluster.told) == ["another", "honest"]
