"""Start a module of this package as a program of its own, that outlives us by as much as it needs."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence


def start_module(
    module: str,
    arguments: Sequence[str],
    channel: socket.socket,
    environment: Mapping[str, str],
    *,
    before: Sequence[str] = (),
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a module with a socket as its standard input, in a session of its own: Ctrl-C is not for it.

    `before` is what runs it, such as `podman unshare`; `keep` are descriptors that it inherits. Raises OSError.
    """
    # By our own search path and -P: it is the same code however we were started, and never the current folder's.
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [*before, sys.executable, "-P", "-m", module, *arguments],
        stdin=channel.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**environment, "PYTHONPATH": path},
        pass_fds=keep,
        start_new_session=True,
    )
