"""Whether this replica may be sent requests, and why not: `/livez` and `/readyz`."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

# Several times the watch's interval: the scans were not compared with their source for so long that something is wrong.
STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `message` says what it rests on, or what is wrong and the cure.

    One that is not `required` is told of, but a replica is ready without it.
    """

    name: str
    ok: bool
    message: str
    required: bool = True


def is_ready(conditions: Sequence[Condition]) -> bool:
    """Tell whether all that is required holds."""
    return all(condition.ok or not condition.required for condition in conditions)


def render(conditions: Sequence[Condition]) -> tuple[int, bytes]:
    """Write the HTTP status and the body of `/readyz`."""
    ready = is_ready(conditions)
    body = {
        "ready": ready,
        "conditions": [
            {"type": c.name, "status": "True" if c.ok else "False", "message": c.message}
            for c in conditions
        ],
    }
    return 200 if ready else 503, orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
