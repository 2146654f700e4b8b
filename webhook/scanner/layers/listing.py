"""A few values by path, which a path that is no folder any more takes out with all that is below it."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Listing(Generic[Value]):
    """Values by path, in the order of the paths. Made for a thousand: adding moves what follows."""

    def __init__(self) -> None:
        self._paths: list[str] = []
        self._values: dict[str, Value] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: str) -> bool:
        return path in self._values

    def get(self, path: str) -> Value | None:
        """Give the value of a path; None without one."""
        return self._values.get(path)

    def items(self) -> Iterator[tuple[str, Value]]:
        """Give paths and values, sorted."""
        return ((path, self._values[path]) for path in self._paths)

    def put(self, path: str, value: Value) -> None:
        """Set the value of a path."""
        if path not in self._values:
            insort(self._paths, path)
        self._values[path] = value

    def remove(self, path: str) -> bool:
        """Take a path out; tell whether it was there."""
        if self._values.pop(path, None) is None:
            return False
        del self._paths[bisect_left(self._paths, path)]
        return True

    def remove_below(self, folder: str) -> None:
        """Take out whatever is below a path."""
        if not self._paths:
            return
        # All that begins with "a/" stands together, before the first that could begin with "a0".
        start = bisect_left(self._paths, f"{folder}/")
        end = bisect_left(self._paths, f"{folder}0", start)
        for path in self._paths[start:end]:
            del self._values[path]
        del self._paths[start:end]
