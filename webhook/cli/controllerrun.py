"""`nbgate controller` from its start to its orderly end."""

from collections.abc import Callable
from queue import Empty, SimpleQueue

import structlog

from webhook import __version__
from webhook.cli.controllerparts import Replica
from webhook.cli.controllersettings import ControllerSettings
from webhook.cli.exits import CouldNot
from webhook.cli.scansignals import signals_to
from webhook.kube import connect
from webhook.kubeerrors import KubeError

_log = structlog.get_logger("nbgate.controller")

_LOOK = 0.5  # seconds between two looks at what has changed besides the scans


def run(settings: ControllerSettings, context: str | None) -> None:
    """Work until a signal comes, then hand everything over. Raises CouldNot."""
    signals: SimpleQueue[int] = SimpleQueue()
    try:
        with connect(context=context) as kube:
            replica = Replica(settings, kube)
            with signals_to(signals.put):
                replica.start()
                _announce(settings, replica.port)
                _work_until(signals, replica.look)
            # From here on another signal ends us at once.
            _log.info("ending: claims and the Lease are given back")
            replica.stop()
    except KubeError as error:
        raise CouldNot(str(error)) from error
    except OSError as error:
        raise CouldNot(f"--listen: {error.strerror or error}; name another address") from error


def _work_until(signals: "SimpleQueue[int]", look: Callable[[], None]) -> None:
    while True:
        try:
            signals.get(timeout=_LOOK)
        except Empty:
            look()
        else:
            return


def _announce(settings: ControllerSettings, port: int) -> None:
    _log.info(
        "listening",
        url=f"http://{settings.host}:{port}",
        version=__version__,
        replica=settings.identity,
        namespace=settings.namespace,
        at_once=settings.at_once,
        probes=settings.probes.namespace if settings.probes else "none",
    )
