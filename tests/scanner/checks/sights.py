"""Seen values for the tests of the checks: a conforming image, changed in one thing at a time."""

from collections.abc import Mapping
from typing import Any

from webhook.scanner.checks.seen import Seen
from webhook.scanner.image import ImageConfig
from webhook.scanner.layers.contents import HomeEntry, Mention, Script
from webhook.scanner.layers.files import Files
from webhook.scanner.probes.observation import Observation, Page, Run

PREFIX = "/notebook/nbgate-probe/abc"
PASSWD = b"root:x:0:0:root:/root:/bin/bash\njovyan:x:1000:100::/home/jovyan:/bin/bash\n"


def config(**changes: Any) -> ImageConfig:
    base: dict[str, Any] = {
        "platform": "linux/amd64",
        "user": "1000",
        "env": {"HOME": "/home/jovyan"},
        "ports": (8888,),
        "command": ("jupyter", "lab"),
    }
    return ImageConfig(**(base | changes))


def files(
    passwd: bytes | None = PASSWD,
    *,
    link: str | None = None,
    scripts: Mapping[str, frozenset[Mention]] | None = None,
    home: Mapping[str, int] | None = None,
    complete: bool = True,
) -> Files:
    return Files(
        complete=complete,
        passwd_known=True,
        passwd=passwd,
        passwd_link=link,
        scripts={p: Script(path=p, mentions=m) for p, m in (scripts or {}).items()},
        home={name: HomeEntry(files=count, size=count) for name, count in (home or {}).items()},
    )


def page(status: int = 200, *, origin: str | None = "*", **changes: Any) -> Page:
    base: dict[str, Any] = {"asked": f"{PREFIX}/", "path": f"{PREFIX}/lab"}
    return Page(status=status, allow_origin=origin, **(base | changes))


def answering(**changes: Any) -> Run:
    """A start that answers under the prefix; change its pages, or with what it was started."""
    base: dict[str, Any] = {
        "home": True,
        "confined": True,
        "ending": "answered",
        "prefix": page(),
        "root": page(404, origin=None),
        "rewritten": page(404, origin=None),
        "seconds": 3.2,
    }
    return Run(**(base | changes))


def at_root(**changes: Any) -> Run:
    """A start that answers at / only, as code-server does."""
    base: dict[str, Any] = {
        "prefix": page(404, origin=None),
        "root": page(origin=None),
        "rewritten": page(origin=None),
    }
    return answering(**(base | changes))


def failing(ending: str = "exited", **changes: Any) -> Run:
    """A start that nothing answered from."""
    base: dict[str, Any] = {"home": True, "confined": True, "ending": ending, "seconds": 120.0}
    return Run(**(base | changes))


def seen(
    *runs: Run, image: ImageConfig | None = None, read: Files | None = None, unprobed: str = ""
) -> Seen:
    return Seen(
        config=image or config(),
        files=read or files(),
        observation=Observation(runs=runs) if runs else None,
        unprobed=unprobed if runs else unprobed or "it was not started",
    )
