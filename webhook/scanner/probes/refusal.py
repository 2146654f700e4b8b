"""Whether it is the image for which a runtime cannot start it, told by the words of podman, runc and crun.

Only what is known to be the image's fault counts: a runtime that is broken says no to every image. Exit codes do not
tell: 126 stands for a program without permission, a missing folder, and a limit that this machine forbids.
"""

import re
from dataclasses import replace

from webhook.core.words import cut
from webhook.scanner.probes.observation import Run

_SHOWN = 200
_NO_COMMAND = "no command or entrypoint provided"  # podman, specgen
# runc: `exec: "/x": stat /x: no such file or directory`; crun: "executable file `x` not found in $PATH".
_NO_PROGRAM = re.compile(r'exec: ".*|executable file .*|open executable: .*', re.IGNORECASE)
# runc: `error mounting ... to rootfs at "/home/jovyan": ...: not a directory`; crun: "mount `.` to `home/jovyan`: ."
_NO_FOLDER = re.compile(r"mount.*home/jovyan.*not a directory", re.IGNORECASE)
# What runc and crun print in the container's own output when the kernel refuses its program.
_NOT_RUN = re.compile(
    r"exec\b.*(exec format error|no such file or directory|permission denied)", re.IGNORECASE
)
_NO_WORKDIR = re.compile(r"workdir .*(does not exist|is not a directory)")  # podman, libpod


def image_fault(said: str) -> str | None:
    """Give the reason, cut, where what a failed `podman run` said blames the image; else None."""
    text = " ".join(said.split())
    if _NO_COMMAND in text:
        return "the image names no program to start"
    if _NO_FOLDER.search(text):
        return "its /home/jovyan is no folder, so no volume can be mounted there"
    found = _NO_PROGRAM.search(text)
    return cut(found.group(), _SHOWN) if found else None


def last_word_fault(log: tuple[str, ...]) -> str | None:
    """Give the reason where all that an ended container said is that its program cannot be run; else None."""
    found = _NOT_RUN.search(log[0]) if len(log) == 1 else None
    return found.group() if found else None


def lacks_folder(said: str) -> bool:
    """Tell whether the folder to start in is not in the image, or no folder there."""
    return bool(_NO_WORKDIR.search(said))


def judged(run: Run) -> Run:
    """Tell a program that the kernel would not run from one that ran and ended."""
    reason = last_word_fault(run.log) if run.ending == "exited" else None
    return run if reason is None else replace(run, ending="refused", reason=reason, exit_code=None)
