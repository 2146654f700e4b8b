#!/usr/bin/env python3
"""A small server that behaves as a notebook's does, or fails at it in one way, as its arguments say.

    notebook-server [--kind jupyter|page|code-server|rstudio] [--base-url PATH] [--host ADDRESS] [--port N]
                    [--header NAME=VALUE]... [--settings FILE]

It needs Python 3.11 and nothing else. Four kinds, each with the redirects of what it stands for:

jupyter      BASE and BASE/ lead to BASE/lab, by absolute paths. Redirects carry no header of ours, and HEAD is refused.
page         BASE/ is a page.
code-server  / leads to ./?folder=…, which is a page: relative, so that it works behind a rewrite of the path.
rstudio      / leads to ROOT/workspace, where ROOT is the header X-RStudio-Root-Path, which a proxy sets that rewrites.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

PAGE = b"<!doctype html><title>notebook</title><p>It works.\n"


class Handler(BaseHTTPRequestHandler):
    """Answers GET; anything else is refused with 501, as the standard library does."""

    protocol_version = "HTTP/1.1"
    kind: str
    base: str
    headers_sent: list[tuple[str, str]]

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        answer = getattr(self, "answer_" + self.kind.replace("-", "_"))
        target = answer(asked.path, asked.query)
        if target is None:
            self.reply(404, b"404: Not Found\n")
        elif target:
            self.reply(302, b"", ("Location", target))
        else:
            self.reply(200, PAGE, *self.headers_sent)

    def do_HEAD(self) -> None:
        self.reply(405, b"")

    def answer_jupyter(self, path: str, _query: str) -> str | None:
        """Return where to go; "" for a page; None for what is not there. So do all of these."""
        if path in {self.base, f"{self.base}/"}:
            return f"{self.base}/lab"
        return "" if path == f"{self.base}/lab" else None

    def answer_page(self, path: str, _query: str) -> str | None:
        return "" if path == f"{self.base}/" else None

    def answer_code_server(self, path: str, query: str) -> str | None:
        if path == "/":
            return "" if query else "./?folder=/home/jovyan"
        return None

    def answer_rstudio(self, path: str, _query: str) -> str | None:
        if path == "/":
            return self.headers.get("X-RStudio-Root-Path", "").rstrip("/") + "/workspace"
        return "" if path == "/workspace" else None

    def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if body:
            self.send_header("Content-Type", "text/html; charset=utf-8")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def pair(text: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, _, value = text.partition("=")
    return name, value


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve as a notebook does.")
    parser.add_argument(
        "--kind", choices=["jupyter", "page", "code-server", "rstudio"], default="jupyter"
    )
    parser.add_argument("--base-url", default="/")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--header", type=pair, action="append", default=[], dest="headers")
    parser.add_argument("--settings", type=Path, help="a JSON file that must be there")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    if chosen.settings:
        json.loads(chosen.settings.read_text())
    Handler.kind = chosen.kind
    Handler.base = chosen.base_url.rstrip("/")
    Handler.headers_sent = chosen.headers
    # The first process of a container gets no signal that it does not ask for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ThreadingHTTPServer((chosen.host, chosen.port), Handler) as server:
        print(f"serving {chosen.base_url} on {chosen.host}:{chosen.port}", flush=True)  # noqa: T201  # its log
        server.serve_forever()


if __name__ == "__main__":
    main()
