"""Run as `python -m bench.scaninside MODE HOME NAME...`: what one fresh process can tell of a scan, as JSON.

`scan` runs `nbgate scan --probe none` on images, everything imported before; `read` is the floor: it fetches blobs by
http.client, hashes and unpacks them as they come, and looks at nothing.
"""

import hashlib
import http.client
import io
import os
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from urllib.parse import urlsplit

import orjson

from bench.memory import most_resident
from webhook.cli.scan import command

_CHUNK = 64 * 1024


def _scan(images: Sequence[str]) -> None:
    said = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        code = command.main(["--probe", "none", *images], standalone_mode=False)
    if code not in {0, 1}:  # 1: it does not conform
        raise SystemExit(said.getvalue())


def _read(urls: Sequence[str]) -> None:
    for url in urls:
        _read_one(url)


def _read_one(url: str) -> None:
    parts = urlsplit(url)
    hashed, unpacked = hashlib.sha256(), zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    with closing(http.client.HTTPConnection(parts.netloc)) as connection:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        while chunk := answer.read(_CHUNK):
            hashed.update(chunk)
            unpacked.decompress(chunk)
    if not (unpacked.eof and parts.path.endswith(hashed.hexdigest())):
        raise SystemExit(f"{url} holds something else")


_MODES: Mapping[str, Callable[[Sequence[str]], None]] = {"scan": _scan, "read": _read}

if __name__ == "__main__":
    mode, os.environ["NBGATE_HOME"], *names = sys.argv[1:]
    started = time.perf_counter()
    _MODES[mode](names)
    taken = time.perf_counter() - started
    sys.stdout.buffer.write(orjson.dumps({"seconds": taken, "most": most_resident()}))
