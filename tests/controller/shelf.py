"""An API server in memory that holds a few objects, and misbehaves when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from webhook.kubeerrors import Conflict, KubeError, NotFound, Resource

Json = dict[str, Any]


class Shelf:
    """Gives and takes objects by name as a `Kube` does, with a resourceVersion that changes at each write.

    Attributes:
        refuses: what a write raises until it is taken away again.
        meddling: called before each write, which meets whatever that did.
        writes: how many were taken.
    """

    def __init__(self, *documents: Json) -> None:
        self.refuses: KubeError | None = None
        self.meddling: Callable[[], object] = lambda: None
        self.writes = 0
        self._lock = threading.RLock()
        self._objects: dict[str, Json] = {}
        for document in documents:
            self.put(document)

    def put(self, document: Json) -> Json:
        """Write an object whoever has it, as somebody else would."""
        with self._lock:
            name = document["metadata"]["name"]
            version = int(self._objects.get(name, {"metadata": {}})["metadata"].get("v", 0)) + 1
            meta = {**document["metadata"], "v": version, "resourceVersion": str(version)}
            self._objects[name] = {**deepcopy(document), "metadata": meta}
            return deepcopy(self._objects[name])

    def remove(self, name: str) -> None:
        """Delete an object."""
        with self._lock:
            del self._objects[name]

    def get(self, _: Resource, name: str, *__: object, **___: object) -> Json:
        """Give an object."""
        return self.held(name)

    def held(self, name: str) -> Json:
        """Give an object as it is now. Raises NotFound."""
        with self._lock:
            if name not in self._objects:
                raise NotFound(f"cannot get {name}: not found")
            return deepcopy(self._objects[name])

    def replace(self, _: Resource, document: Json, *__: object, **___: object) -> Json:
        """Write an object over the one that was read."""
        with self._lock:
            self.meddling()
            if self.refuses is not None:
                raise self.refuses
            name = document["metadata"]["name"]
            now = self.held(name)
            if now["metadata"]["resourceVersion"] != document["metadata"]["resourceVersion"]:
                raise Conflict(f"cannot update {name}: it was changed")
            self.writes += 1
            return self.put(document)
