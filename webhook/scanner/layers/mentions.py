"""Which of the words that matter a small file holds. Pure; linear in the file's size, whatever is in it.

    NB_PREFIX      the variable that holds the path which Kubeflow serves the notebook under
    8888           the port, as a number of its own: not 18888, not 88880
    allow_origin   Jupyter's setting, or the header's name in any case
    tmp_home       something that brings the home back: Kubeflow's /tmp_home, or a line with a cp or rsync before a
                   home: /home/jovyan, $HOME, ${HOME}, /home/$NB_USER, /home/${NB_USER}

Words, not meanings: a comment counts too. They are evidence that something deals with a matter, never proof that it
works.
"""

import re

from webhook.scanner.layers.contents import Mention

_PORT = re.compile(rb"(?<![0-9])8888(?![0-9])")
_ORIGIN = re.compile(rb"allow_origin|access-control-allow-origin", re.IGNORECASE)
_COPY = re.compile(rb"\b(?:cp|rsync)\b")
_HOME = re.compile(rb"/home/jovyan|\$HOME\b|\$\{HOME\}|/home/\$NB_USER\b|/home/\$\{NB_USER\}")


def find_mentions(data: bytes) -> frozenset[Mention]:
    """Find the words that a file's content holds."""
    found: set[Mention] = set()
    if b"NB_PREFIX" in data:
        found.add("NB_PREFIX")
    if b"8888" in data and _PORT.search(data):
        found.add("8888")
    if _ORIGIN.search(data):
        found.add("allow_origin")
    if b"/tmp_home" in data or (_HOME.search(data) and any(map(_restores, data.split(b"\n")))):
        found.add("tmp_home")
    return frozenset(found)


def _restores(line: bytes) -> bool:
    copy = _COPY.search(line)
    return copy is not None and _HOME.search(line, copy.end()) is not None
