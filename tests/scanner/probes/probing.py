"""A program that probes one image and says how far it is, to be ended in the midst of it.

python -m tests.scanner.probes.probing IMAGE TIMEOUT
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.cluster.waiting import wait_for
from tests.scanner.podman import leftovers
from tests.scanner.probes.targets import observe
from webhook.scanner.probes.podman import PodmanProbe
from webhook.scanner.progress import Silent


class Spoken(Silent):
    """Says each stage in a line of standard output."""

    def stage(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


@contextmanager
def probing(
    environment: Mapping[str, str], stage: str, image: str, timeout: float = 60
) -> Iterator[subprocess.Popen[str]]:
    """Run this program in a session of its own until it is at that stage; kill it in the end."""
    command = [sys.executable, "-m", "tests.scanner.probes.probing", image, str(timeout)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert stage in (line.strip() for line in process.stdout), f"it never was at {stage}"
            yield process
        finally:
            process.kill()


def wait_until_nothing_is_left(environment: Mapping[str, str]) -> None:
    """Wait for a warden to do its work; what is left is in the error."""

    def clean() -> bool:
        found = leftovers(environment)
        if found:
            raise AssertionError(found)
        return True

    wait_for(clean, 60, "nothing to be left", ignoring=(AssertionError,))


if __name__ == "__main__":
    wanted, seconds = sys.argv[1:]
    observe(PodmanProbe(environment=os.environ), wanted, float(seconds), Spoken())
