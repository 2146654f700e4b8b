"""One request on its way to the bytes of its answer."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog

from webhook.server.admission import Arrival
from webhook.server.app import NEVER_WAITS
from webhook.server.gateway import ask
from webhook.server.httpanswer import Answer, Later, refusal, render_http
from webhook.server.httprequest import BadRequest, read_request
from webhook.server.serving import Edge

T = TypeVar("T")
_log = structlog.get_logger("nbgate.server")


class Exchange:
    """Answers one whole request in two steps, of which the first waits for nothing.

    There always is an answer: what goes wrong becomes an error that ends the connection.

    Attributes:
        keeps: the connection may carry another request.
    """

    def __init__(
        self, edge: Edge, data: bytes, arrival: Arrival, *, ends: Callable[[], bool]
    ) -> None:
        """Take the bytes of a request; `ends` tells, when it is answered, whether connections are to end."""
        self.keeps = False
        self._edge = edge
        self._data = data
        self._arrival = arrival
        self._ends = ends
        self._head_only = False
        self._later: Later = partial(refusal, 500, "internal error: nothing was begun")

    def begin(self) -> bytes | None:
        """Answer at once, as most decisions are; None where `finish` is to be called for it."""
        answer = self._guarded(self._begin)
        return None if answer is None else self._rendered(answer)

    def finish(self) -> bytes:
        """Do what `begin` left: it may wait for a disk, or take the application's time."""
        return self._rendered(self._guarded(self._later))

    def answer(self) -> bytes:
        """Do both."""
        return self.begin() or self.finish()

    def _rendered(self, answer: Answer) -> bytes:
        self.keeps = self.keeps and not self._ends()
        return render_http(answer, keeps=self.keeps, head_only=self._head_only)

    def _guarded(self, step: Callable[[], T]) -> T | Answer:
        try:
            return step()
        except BadRequest as error:
            self.keeps = False
            return refusal(error.code, str(error))
        except Exception:  # noqa: BLE001 - logged, and answered
            self.keeps = False
            _log.exception("a request could not be answered")
            return refusal(500, "internal error, see the log")

    def _begin(self) -> Answer | None:
        request = read_request(self._data)
        self._data = b""  # it may be megabytes
        self.keeps, self._head_only = request.keeps, request.method == "HEAD"
        found = self._edge.admission(request, self._arrival)
        if found is None:
            found = partial(ask, self._edge.app, request)
            found = found() if request.path == NEVER_WAITS else found
        if isinstance(found, Answer):
            return found
        self._later = found
        return None
