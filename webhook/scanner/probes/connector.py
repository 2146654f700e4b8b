"""What a probe needs of a way to reach the server that it started."""

import socket
from typing import Protocol


class Connector(Protocol):
    """Opens connections to port 8888 of what was started, as another machine would: never by its loopback address."""

    def connect(self, timeout: float) -> socket.socket:
        """Open a connection within so many seconds.

        Raises:
            ConnectionRefusedError: nothing listens there.
            OSError: it cannot be reached otherwise.
            ProbeError: the way itself is broken, which says nothing of the image.
        """
        ...
