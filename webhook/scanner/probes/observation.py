"""What a probe saw: values, from which the checks decide."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The final answer to a request, after redirects within the server.

    Attributes:
        asked: the path that was asked for first.
        path: the path that answered last.
        status: its HTTP status.
        allow_origin: its Access-Control-Allow-Origin as sent, cut; None without one.
        frame_guard: what would keep a page of another origin from showing it in an iframe, such as
            `X-Frame-Options: DENY`; None without one.
        left: where a redirect led out of the server, or for a page under a prefix out of the prefix; cut. The redirect
            itself is then the final answer.
    """

    asked: str
    path: str
    status: int
    allow_origin: str | None = None
    frame_guard: str | None = None
    left: str | None = None

    @property
    def good(self) -> bool:
        """Whether it is a page that a person could use: 2xx, without leaving."""
        return 200 <= self.status < 300 and self.left is None


Ending = Literal["answered", "silent", "exited", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One start of the image.

    Attributes:
        home: an empty volume was mounted at /home/jovyan.
        confined: it ran without privilege escalation and without capabilities, more strictly than Kubeflow does.
        ending: an HTTP server answered; or none did in time; or the process exited before; or the runtime could not
            start it at all (`reason` says why: no such program, wrong platform).
        prefix: the answer under NB_PREFIX; root: at `/`; rewritten: at `/` as a browser behind Istio's rewrite of the
            prefix to `/` would get it, redirects followed in the browser's view. None where nothing answered.
        listening: TCP ports that something listened on at the end, other than 8888; empty where that cannot be seen.
        loopback: something listens on 8888, but only on 127.0.0.1 or ::1.
        exit_code: of the process, where it exited.
        seconds: from its start to the first good answer, or to the end of waiting.
        log: the last lines of its output, clean and cut: at most 20 lines of 200 characters.
    """

    home: bool
    confined: bool
    ending: Ending
    prefix: Page | None = None
    root: Page | None = None
    rewritten: Page | None = None
    listening: tuple[int, ...] = ()
    loopback: bool = False
    exit_code: int | None = None
    reason: str = ""
    seconds: float = 0.0
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything that a probe saw of one platform of an image.

    Attributes:
        runs: in order. The first is confined, with an empty home; one that does not answer is followed by one as
            Kubeflow would start it, and if that does not answer either by one without the empty volume, which tells
            whether the volume is what it dies of. What the runtime refused goes on to that at once. One that was only
            silent with the volume, and answers without it, gets another chance with it.
    """

    runs: tuple[Run, ...]

    @property
    def answered(self) -> Run | None:
        """The run that answered, rather with the volume than without it; None where none did."""
        answered = [run for run in self.runs if run.ending == "answered"]
        return next((run for run in answered if run.home), answered[0] if answered else None)
