"""Load on a server: as many requests as its connections carry, one at a time on each, for some seconds.

wrk makes it where there is one; else `ownload.py`. Both keep their connections, and neither looks at certificates.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import ownload
from bench.child import CouldNotMeasure
from bench.machine import load_processor, pinned

_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is posted again and again: a file's content, as JSON.

    Attributes:
        may_fail: the share of the requests that may be refused without making the run worthless.

    """

    url: str
    body: Path
    headers: Mapping[str, str] = field(default_factory=dict)
    may_fail: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of one run.

    Attributes:
        seconds: how long it took.
        p50, p99: milliseconds.

    """

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def generator() -> str:
    """Name what makes the load."""
    return "wrk" if shutil.which("wrk") else "bench/ownload.py"


def put(post: Post, *, connections: int, seconds: int) -> Load:
    """Post for some seconds.

    Raises:
        CouldNotMeasure: more requests failed than may, or none was answered, twice over: the machine is too busy.

    """
    for _ in range(2):
        with pinned(load_processor()):
            found = _run(post, connections, seconds)
        if found["failed"] > post.may_fail * found["requests"]:
            raise CouldNotMeasure(f"{found['failed']} requests to {post.url} failed")
        if found["requests"]:
            del found["failed"]
            return Load(**found)
    raise CouldNotMeasure(
        f"{post.url} answered nothing within {seconds} s; measure while less else runs"
    )


def _run(post: Post, connections: int, seconds: int) -> dict[str, Any]:
    if shutil.which("wrk"):
        return _wrk(post, connections, seconds)
    parts = urlsplit(post.url)
    request = ownload.request(parts.netloc, parts.path, post.body.read_bytes(), post.headers)
    address = (parts.hostname or "", parts.port or 443)
    return ownload.run(address, repeat(request), connections, seconds)


def _wrk(post: Post, connections: int, seconds: int) -> dict[str, Any]:
    # wrk counts an answer that takes longer than its timeout, else 2 s, as an error
    limits = [f"-d{seconds}s", "--timeout", "30s"]
    headers = chain.from_iterable(post.headers.items())
    script = ["-s", str(_SCRIPT), post.url, "--", str(post.body), *headers]
    command = ["wrk", "-t1", f"-c{connections}", *limits, *script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("{"):
        raise CouldNotMeasure(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    found: dict[str, Any] = json.loads(last)
    return found
