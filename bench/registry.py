"""A docker-registry on loopback: images are put into it, and its log says what of them was fetched."""

import hashlib
import http.client
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from bench.child import CouldNotMeasure
from tests.cluster.component import Component, ComponentEnded
from tests.cluster.ports import reserved_ports
from tests.cluster.waiting import wait_for

PROGRAM = "docker-registry"
_START_SECONDS = 20
_LOG_SECONDS = 20
_ANSWER_SECONDS = 120  # for a layer of 2 GB, whose end is awaited until it is on disk
_OCTETS = "application/octet-stream"
# A line in Apache's combined format, one for each answer, written when its body is.
_FETCH = re.compile(r'"GET (/v2/\S+) HTTP/[0-9.]+" 20[06] ([0-9]+) ')

Descriptor = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One answer that had what was asked for: the path, and the bytes of its body."""

    path: str
    size: int


class Registry:
    """A running registry; a context manager.

    Args:
        home: a folder that does not exist yet, for all that it writes.

    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stack = ExitStack()
        self._marks = self._read = self._port = 0

    def __enter__(self) -> Self:
        program = shutil.which(PROGRAM)
        if program is None:
            raise CouldNotMeasure(f"there is no {PROGRAM}: tests/install-packages installs it")
        self._home.mkdir(parents=True)
        with ExitStack() as stack:
            (self._port,) = stack.enter_context(reserved_ports(1))
            config = self._home / "config.json"
            config.write_text(json.dumps(self._config()))  # YAML reads it
            server = stack.enter_context(Component(PROGRAM, [program, "serve", config], self._home))
            self._log = server.log
            wait_for(lambda: self._answers(server), _START_SECONDS, f"{PROGRAM} to answer")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def host(self) -> str:
        """Where it is, as references name it."""
        return f"127.0.0.1:{self._port}"

    def upload(self, repository: str, chunks: Iterable[bytes], media_type: str) -> Descriptor:
        """Store a blob of any size as its chunks come; give its descriptor."""
        seen, size = hashlib.sha256(), 0

        def counted() -> Iterable[bytes]:
            nonlocal size
            for chunk in chunks:
                seen.update(chunk)
                size += len(chunk)
                yield chunk

        begun = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        sent = self._ask("PATCH", begun["location"], counted(), {"Content-Type": _OCTETS})
        digest = f"sha256:{seen.hexdigest()}"
        self._ask("PUT", f"{sent['location']}&digest={digest}")
        return {"mediaType": media_type, "digest": digest, "size": size}

    def tag(self, repository: str, tag: str, manifest: bytes, media_type: str) -> None:
        """Store a manifest."""
        headers = {"Content-Type": media_type}
        self._ask("PUT", f"/v2/{repository}/manifests/{tag}", manifest, headers)

    def blob_url(self, repository: str, digest: str) -> str:
        """Tell where a blob is."""
        return f"http://{self.host}/v2/{repository}/blobs/{digest}"

    def take(self) -> list[Fetch]:
        """Give what was fetched since this was last asked."""
        self._marks += 1
        mark = f"/v2/mark-{self._marks}/tags/list"
        self._ask("GET", mark, wanted=404)
        lines = wait_for(lambda: self._lines_to(mark), _LOG_SECONDS, f"{mark} in {self._log}")
        found = (_FETCH.search(line) for line in lines)
        return [Fetch(path=each[1], size=int(each[2])) for each in found if each]

    def _lines_to(self, mark: str) -> list[str]:
        """Read the log from where it was last read up to this request; nothing while it is not there."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        at = text.find(f'"GET {mark} '.encode())
        end = text.find(b"\n", at) + 1
        if at < 0 or not end:
            return []
        self._read += end
        return text[:end].decode(errors="replace").splitlines()

    def _ask(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        *,
        wanted: int | None = None,
    ) -> dict[str, str]:
        """Ask for something; give the answer's headers, in lower case. Raises CouldNotMeasure."""
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_SECONDS)
        with closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            said = answer.read()
        good = answer.status == wanted if wanted else answer.status < 300
        if not good:
            words = said[:300].decode(errors="replace")
            raise CouldNotMeasure(f"{PROGRAM} answers {answer.status} to {method} {path}: {words}")
        return {name.lower(): value for name, value in answer.getheaders()}

    def _answers(self, server: Component) -> bool:
        try:
            server.check()
        except ComponentEnded as error:
            raise CouldNotMeasure(str(error)) from error
        try:
            self._ask("GET", "/v2/")
        except OSError:
            return False
        return True

    def _config(self) -> dict[str, Any]:
        return {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(self._home / "storage")}},
            "http": {"addr": self.host, "secret": "of the benchmark"},
        }
