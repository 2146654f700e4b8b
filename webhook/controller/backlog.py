"""All ImageScans of the cluster, and which one is next: filled by a watch, emptied by the workers' threads.

waiting   what is not due yet, by when it will be
ready     what is due
paused    what is due and whose registry is left alone for a while
working   what a worker of this replica has in its hands
"""

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any

from webhook.controller.fault import Fault
from webhook.controller.ready import Ready
from webhook.controller.record import Record, read_record
from webhook.controller.registries import Registries
from webhook.controller.schedule import Due, Terms, due
from webhook.kube import Document, Event


class Backlog:
    """A Sink of a ListWatch, and the queue of the workers. Threads may share it.

    Args:
        terms: what the schedule rests on; `settle` changes them.
        now: seconds since the epoch.
        registries: which ones are left alone.
        share: how many images that one namespace asked for workers may have in their hands at once, so that others
            find one free, however long those take.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        now: Callable[[], float] = time.time,
        registries: Registries | None = None,
        share: float = inf,
    ) -> None:
        self.terms = terms
        self._now = now
        self._registries = registries or Registries()
        self._share = share
        self._records: dict[str, Record] = {}
        # An entry counts only when the image is due at its time: one that was put off has another one further down.
        self._waiting: list[tuple[float, str]] = []
        self._ready = Ready()
        self._paused: dict[str, str] = {}  # registries by the names of images
        self._working: dict[str, str] = {}  # who asked for them, by the names of images
        self._delays: dict[str, float] = {}
        self._closed = False
        self._changed = threading.Condition()

    def replaced(self, documents: Iterator[Document]) -> None:
        """Take a whole list in the place of all that is held."""
        now = self._now()
        # Not under the lock: the list comes over the network.
        found = [read_record(document, now) for document in documents]
        with self._changed:
            held = self._records
            self._records = {one.name: _as_seen(one, held.get(one.name)) for one in found}
            self._rebuild()

    def changed(self, event: Event) -> None:
        """Take one change."""
        if event.type == "DELETED":
            self.forget(str(event.object["metadata"]["name"]))
        else:
            self.update(event.object)

    def update(self, document: Mapping[str, Any]) -> Record:
        """Take an object as it is now; give what is kept of it."""
        read = read_record(document, self._now())
        with self._changed:
            held = self._records.get(read.name)
            record = self._records[read.name] = _as_seen(read, held)
            if held is None or due(held, self.terms) != due(record, self.terms):
                self._enter(record)
        return record

    def forget(self, name: str) -> None:
        """Take note that an object is gone."""
        with self._changed:
            self._records.pop(name, None)
            self._delays.pop(name, None)
            self._remove(name)

    def take(self, patience: float) -> Record | None:
        """Give what is next, which is the caller's until he calls `done`.

        None after `patience` seconds without, and at once when it is closed.
        """
        deadline = time.monotonic() + patience
        with self._changed:
            while not self._closed:
                if (record := self._next()) is not None:
                    self._working[record.name] = record.asker
                    return record
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, max(self._until_next(), 0.01)))
        return None

    def done(self, name: str, delay: float = 0.0) -> None:
        """Give back what was taken; it is not given out again before `delay` seconds have passed."""
        with self._changed:
            self._working.pop(name, None)
            self._delays.pop(name, None)
            if (record := self._records.get(name)) is not None:
                if delay:
                    self._delays[name] = self._now() + delay
                self._enter(record)

    def failed(self, registry: str, fault: Fault) -> float:
        """Leave a registry alone; give for how many seconds."""
        with self._changed:
            now = self._now()
            return self._registries.failed(registry, fault, now) - now

    def answered(self, registry: str) -> None:
        """Take note that a registry is there."""
        with self._changed:
            self._registries.answered(registry)
            self._resume()

    def settle(self, terms: Terms) -> None:
        """Go by these terms from now on."""
        with self._changed:
            if terms != self.terms:
                self.terms = terms
                self._rebuild()

    def close(self) -> None:
        """Give out nothing any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def known(self) -> int:
        """How many ImageScans there are."""
        return len(self._records)

    @property
    def unreadable(self) -> int:
        """How many of them have a spec that cannot be read."""
        with self._changed:
            return sum(bool(record.fault) for record in self._records.values())

    @property
    def pending(self) -> int:
        """How many are due and in no hands of this replica; also those whose registry is left alone."""
        with self._changed:
            self._ripen()
            return len(self._ready) + len(self._paused)

    @property
    def paused(self) -> int:
        """How many registries are left alone."""
        with self._changed:
            return self._registries.paused(self._now())

    # What follows is called with the lock held.

    def _next(self) -> Record | None:
        self._ripen()
        while (name := self._ready.take(self._may)) is not None:
            record = self._records[name]
            if not self._rests(record):
                return record
            self._pause(name, record.registry)
        return None

    def _may(self, asker: str) -> bool:
        return not asker or sum(one == asker for one in self._working.values()) < self._share

    def _pause(self, name: str, registry: str) -> None:
        """Put an image aside whose registry is left alone, and all others of that registry with it."""
        for other in [one for one in self._ready if self._records[one].registry == registry]:
            self._ready.discard(other)
            self._paused[other] = registry
        self._paused[name] = registry

    def _ripen(self) -> None:
        """Move what has become due, and what its registry held up."""
        self._resume()
        now = self._now()
        while self._waiting and self._waiting[0][0] <= now:
            at, name = heapq.heappop(self._waiting)
            record = self._records.get(name)
            if record is not None and name not in self._working and self._due(record).at == at:
                self._admit(record)

    def _resume(self) -> None:
        free = {one for one in set(self._paused.values()) if self._free(one)}
        for name in [name for name, registry in self._paused.items() if registry in free]:
            del self._paused[name]
            self._admit(self._records[name])
            self._changed.notify()

    def _enter(self, record: Record) -> None:
        """Put an image where it belongs now; what a worker has comes back by `done`."""
        if record.name in self._working:
            return
        self._remove(record.name)
        at = self._due(record).at
        if at <= self._now():
            self._admit(record)
        elif at < inf:
            heapq.heappush(self._waiting, (at, record.name))
        self._changed.notify()

    def _admit(self, record: Record) -> None:
        if self._rests(record):
            self._paused[record.name] = record.registry
        else:
            wanted = self._due(record)
            self._ready.put(record.name, wanted.reason, wanted.since, record.asker)

    def _remove(self, name: str) -> None:
        self._ready.discard(name)
        self._paused.pop(name, None)

    def _rebuild(self) -> None:
        self._waiting, self._paused = [], {}
        self._ready.clear()
        self._delays = {name: at for name, at in self._delays.items() if name in self._records}
        for record in self._records.values():
            self._enter(record)

    def _due(self, record: Record) -> Due:
        wanted = due(record, self.terms)
        delay = self._delays.get(record.name, 0.0)
        return wanted if delay <= wanted.at else replace(wanted, at=delay)

    def _rests(self, record: Record) -> bool:
        return not self._free(record.registry)

    def _free(self, registry: str) -> bool:
        return self._registries.free_at(registry) <= self._now()

    def _until_next(self) -> float:
        times = [at for at, _ in self._waiting[:1]]
        times += [self._registries.free_at(registry) for registry in set(self._paused.values())]
        return min(times, default=inf) - self._now()


def _as_seen(record: Record, held: Record | None) -> Record:
    """Count a claim that has not changed from when we first saw it so."""
    if held is None or not record.claim or held.claim != record.claim:
        return record
    return replace(record, claim_seen=held.claim_seen)
