"""The objects of a list, one by one out of its bytes as they come: pure, bytes in, values out.

The API server's list of 50,000 scans has 100 MB, and parsed whole would take a gigabyte. Of it, nothing is kept here
but the text of the object that is being read.
"""

import codecs
import json
import re
from typing import Any

# One object: etcd takes at most 1.5 MiB of it, and the API server writes it as JSON.
OBJECT_LIMIT = 8 << 20  # characters
_NEXT = re.compile(r"[ \t\r\n,]*")
_ENDS = frozenset(",:]} \t\r\n")
_SCAN = json.JSONDecoder().raw_decode


class BrokenList(ValueError):
    """The bytes are no list of objects, or end before it does."""


class ListReader:
    """Reads one list.

    Attributes:
        version: the list's resourceVersion; some write it after the objects, so it is empty until it was read.
        done: whether the list has ended.
    """

    def __init__(self) -> None:
        self.version = ""
        self.done = False
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0  # what stands before it in the text has been read
        self._inside = ""  # "", "list" or "items"

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Take the next bytes; give the objects that end in them. Raises BrokenList."""
        try:
            self._text = self._text[self._at :] + self._decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise BrokenList("is not UTF-8") from error
        self._at = 0
        found: list[dict[str, Any]] = []
        while not self.done and self._step(found):
            pass
        if len(self._text) - self._at > OBJECT_LIMIT:
            raise BrokenList(f"has an object of more than {OBJECT_LIMIT} characters, or is no JSON")
        return found

    def _step(self, found: list[dict[str, Any]]) -> bool:
        """Read one thing more; tell whether there was enough text for it."""
        at = self._skip(self._at)
        if at == len(self._text):
            return False
        match self._inside:
            case "items":
                return self._item(at, found)
            case "list":
                return self._field(at)
        if self._text[at] != "{":
            raise BrokenList("is no list")
        self._inside, self._at = "list", at + 1
        return True

    def _item(self, at: int, found: list[dict[str, Any]]) -> bool:
        if self._text[at] == "]":
            self._inside, self._at = "list", at + 1
            return True
        read = self._value(at)
        if read is None:
            return False
        value, self._at = read
        if not isinstance(value, dict):
            raise BrokenList("holds something other than objects")
        found.append(value)
        return True

    def _field(self, at: int) -> bool:
        if self._text[at] == "}":
            self.done = True
            return True
        read = self._value(at)
        if read is None:
            return False
        key, at = read
        at = self._skip(at)
        if self._text[at : at + 1] != ":":
            return self._need(at)
        at = self._skip(at + 1)
        if key == "items" and self._text[at : at + 1] == "[":
            self._inside, self._at = "items", at + 1
            return True
        read = self._value(at)
        if read is None:
            return False
        value, self._at = read
        if key == "metadata" and isinstance(value, dict):
            self.version = str(value.get("resourceVersion", ""))
        return True

    def _need(self, at: int) -> bool:
        if at < len(self._text):
            raise BrokenList("is no JSON")
        return False

    def _skip(self, at: int) -> int:
        found = _NEXT.match(self._text, at)
        return found.end() if found else at

    def _value(self, at: int) -> tuple[Any, int] | None:
        """Read a value that has ended, because it is followed by what ends one; None where that is still to come."""
        try:
            value, end = _SCAN(self._text, at)
        except json.JSONDecodeError:
            return None
        except RecursionError as error:
            raise BrokenList("nests deeper than any object does") from error
        except ValueError as error:  # Python reads no more than 4300 digits
            raise BrokenList("has a number of more digits than any object has") from error
        # Half of a number is one too, and may be followed by "." or "e".
        return (value, end) if self._text[end : end + 1] in _ENDS else None
