"""Lists are read whole, in ever smaller parts where what users made is big."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from webhook.controller.listing import listed
from webhook.kube import ANSWER_LIMIT, NOTEBOOKS, Kube, connect
from webhook.kubeerrors import TooLong


@contextmanager
def serving(objects: list[dict[str, Any]], asked: list[int]) -> Iterator[str]:
    """Serve these objects as an API server does, part by part; `asked` gets the size of each part that was wanted."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            first, size = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
            asked.append(size)
            rest = str(first + size) if first + size < len(objects) else ""
            meta = {"resourceVersion": "1", "continue": rest}
            body = json.dumps({"items": objects[first : first + size], "metadata": meta}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            # Who has read enough hangs up.
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def kube_at(folder: Path, server: str) -> Kube:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "config").write_text(json.dumps(config))
    return connect(kubeconfig=str(folder / "config"))


def name_of(document: dict[str, Any]) -> str | None:
    name: str | None = document["name"]
    return name


def numbered(count: int, padding: int = 0) -> list[dict[str, Any]]:
    return [{"name": f"nb-{number}", "padding": "x" * padding} for number in range(count)]


def test_a_list_of_usual_objects_takes_few_requests(tmp_path: Path) -> None:
    asked: list[int] = []
    with serving(numbered(1200), asked) as server, kube_at(tmp_path, server) as kube:
        found = listed(kube, NOTEBOOKS, name_of)

    assert found == [f"nb-{number}" for number in range(1200)]
    assert asked == [500, 500, 500]


def test_big_objects_of_one_user_keep_no_other_from_being_read(tmp_path: Path) -> None:
    asked: list[int] = []
    objects = [*numbered(5), *numbered(9, padding=ANSWER_LIMIT >> 3)]
    with serving(objects, asked) as server, kube_at(tmp_path, server) as kube:
        found = listed(kube, NOTEBOOKS, name_of)

    assert found == [one["name"] for one in objects]
    assert asked == [500, 250, 125, 62, 31, 15, 7, 7]


def test_what_comes_after_big_objects_takes_few_requests_too(tmp_path: Path) -> None:
    asked: list[int] = []
    objects = [*numbered(9, padding=ANSWER_LIMIT >> 3), *numbered(3000)]
    with serving(objects, asked) as server, kube_at(tmp_path, server) as kube:
        found = listed(kube, NOTEBOOKS, name_of)

    assert found == [one["name"] for one in objects]
    assert len(asked) < 25
    assert asked[-1] == 500


def test_what_is_not_wanted_is_left_out(tmp_path: Path) -> None:
    with serving([*numbered(2), {"name": None}], []) as server, kube_at(tmp_path, server) as kube:
        assert listed(kube, NOTEBOOKS, name_of) == ["nb-0", "nb-1"]


def test_one_object_beyond_every_limit_is_an_error(tmp_path: Path) -> None:
    objects = numbered(1, padding=ANSWER_LIMIT)
    with (
        serving(objects, []) as server,
        kube_at(tmp_path, server) as kube,
        pytest.raises(TooLong, match="cannot list notebooks"),
    ):
        listed(kube, NOTEBOOKS, name_of)
