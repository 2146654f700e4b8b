"""A candidate for the Lease, as a process that can be killed: its only duty says each time that it is its turn.

Arguments: a kubeconfig, the Lease, its namespace, an identity.
"""

import sys
import threading

from webhook.controller.leading import Leader, Mandate, Timing
from webhook.kube import connect

# As few seconds as a busy machine allows.
TIMING = Timing(duration=3.0, deadline=2.0, retry=0.25)


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Saying:
    """A duty that says that it was done."""

    name = "saying"
    every = 0.1

    def __init__(self, mandate: Mandate) -> None:
        self._mandate = mandate

    def run(self, now: float) -> None:
        """Say when."""
        self._mandate.insist()
        say(f"{now:.3f}")


def main(kubeconfig: str, lease: str, namespace: str, identity: str) -> None:
    """Stand until killed."""
    mandate = Mandate()
    with connect(kubeconfig=kubeconfig) as kube:
        leader = Leader(
            kube,
            lease,
            namespace,
            identity,
            [Saying(mandate)],
            mandate=mandate,
            timing=TIMING,
            report=say,
        )
        leader.start()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
