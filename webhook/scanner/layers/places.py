"""The places in an image that scans look at.

    etc/passwd                         who user 1000 is, and where home is
    home/jovyan/**                     what an empty volume would hide
    etc/services.d, etc/cont-init.d,   what s6-overlay starts (v2, v3) in Kubeflow's images: the server, and what brings
    etc/s6-overlay                     the home back; all small files, for v3's are not all scripts
    **/etc/jupyter/**.py, .json        Jupyter's configuration, in /etc, /usr/local/etc and below environments
    **/bin, **/sbin                    start scripts, and folders directly in there: docker-stacks has
                                       /usr/local/bin/start-notebook.d
    *, opt/*, opt/*/*, usr/local/*     start scripts that images bring with them: /start.sh, /opt/app/run.sh
    start*/**                          folders of hooks in the root
    */entrypoint.sh, */*/start.sh, …   what entrypoints are mostly called, up to two folders deep

Depths are bounded where `**` leads to folders that are full of what is meant for others: `node_modules`,
`site-packages`. Files under home/jovyan are no start scripts: an empty volume hides them.
"""

import re
from typing import Literal

PASSWD = "etc/passwd"  # noqa: S105 - a path, no password
HOME = "home/jovyan"

# passwd and home; setting: any small file is looked at; script: one that begins with #!.
Place = Literal["passwd", "home", "setting", "script"]

_BELOW_HOME = f"{HOME}/"
_SERVICES = ("etc/services.d/", "etc/cont-init.d/", "etc/s6-overlay/")
_CONFIG = re.compile(r"(?:[^/]+/){0,4}etc/jupyter/.+\.(?:py|json)", re.DOTALL)
_SCRIPT = re.compile(
    r"""
      (?:[^/]+/){0,4} s?bin / (?:[^/]+/)? [^/]+
    | [^/]+
    | opt / (?:[^/]+/)? [^/]+
    | usr/local / [^/]+
    | start[^/]* / .+
    | (?:[^/]+/){1,2} (?:docker-)?(?:entrypoint|entry|start|run|launch|boot|init) (?:[-_.][^/]*)?
    """,
    re.VERBOSE | re.DOTALL,
)
# What leads to a place, if it is a folder; else it hides what lower layers have there.
_TRUNK = re.compile(
    r"[^/]+(?:/[^/]+)? | (?:[^/]+/){0,4} (?:s?bin|etc|etc/jupyter(?:/.+)?)", re.VERBOSE | re.DOTALL
)
# With fewer parts than that, a folder may hold another one called bin.
_MAX_PARTS_ABOVE = 4


def place_of(path: str) -> Place | None:
    """Tell which place a path belongs to; None for most."""
    if path.startswith(_BELOW_HOME):
        return "home"
    if path == PASSWD:
        return "passwd"
    if path.startswith(_SERVICES) or ("etc/jupyter/" in path and _CONFIG.fullmatch(path)):
        return "setting"
    return "script" if _SCRIPT.fullmatch(path) else None


def may_hold_places(path: str) -> bool:
    """Tell whether places are below this path, as far as that is seen of something that is no folder."""
    return _TRUNK.fullmatch(path) is not None


def leads_to_place(path: str) -> bool:
    """Tell whether removing this path can remove something from a place."""
    if path.count("/") < _MAX_PARTS_ABOVE:
        return True
    return may_hold_places(path) or place_of(path) is not None
