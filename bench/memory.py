"""How much memory: of a process by the kernel's count, and of one value by counting its parts."""

import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

_MIB = 1024


def resident(process: int | str = "self") -> float:
    """MiB that a process, by its id, has in memory now."""
    return _status("VmRSS", process)


def most_resident(process: int | str = "self") -> float:
    """MiB that a process, by its id, has had in memory at most."""
    return _status("VmHWM", process)


def _status(name: str, process: int | str) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / _MIB
    raise LookupError(f"the kernel gives no {name}")


def size_of(value: object) -> int:
    """Count the bytes of everything that a value holds, each object once; the allocator's own are not in it."""
    seen: set[int] = set()
    waiting, total = [value], 0
    while waiting:
        held = waiting.pop()
        if id(held) in seen:
            continue
        seen.add(id(held))
        total += sys.getsizeof(held)
        waiting.extend(_parts(held))
    return total


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, tuple | list):
        return [*value]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value)]
    return []
