"""Asks the Flask application: health, metrics, and every error of method and path are its own."""

from io import BytesIO
from sys import stderr
from typing import Any

from flask import Flask, Response

from webhook.server.httpanswer import Answer
from webhook.server.httprequest import HttpRequest

# Every answer has them, and they are written with it.
_OWN_FIELDS = frozenset({"content-type", "content-length", "connection", "date"})


def ask(application: Flask, request: HttpRequest) -> Answer:
    """Ask for the application's answer to a request: to its method, path and query, and nothing else.

    No header field and no body gets there, for nothing there reads any. HEAD is asked for as GET: how much of the
    answer is sent is the worker's business.
    """
    found = Response.from_app(application, _environ(request), buffered=True)
    fields = tuple(field for field in found.headers if field[0].lower() not in _OWN_FIELDS)
    return Answer(found.status_code, found.get_data(), found.content_type or "text/plain", fields)


def _environ(request: HttpRequest) -> dict[str, Any]:
    """Write what WSGI wants to know (PEP 3333)."""
    return {
        "REQUEST_METHOD": "GET" if request.method == "HEAD" else request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "SERVER_NAME": "nbgate",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(),
        "wsgi.errors": stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
