"""The certificate that `nbgate serve` begins with: issued, found in a folder, or waited for in the cluster.

Before the first worker is forked, so that a fault ends the command and not a worker again and again.
"""

import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import structlog

from certs.directory import ServingPair, load
from certs.errors import CertificateError
from certs.selfsigned import Kept, ensure
from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.settings import Settings
from webhook.kube import connect
from webhook.kubeerrors import KubeError
from webhook.stores.secretmirror import SecretMirror

_log = structlog.get_logger("nbgate.serve")
_LOOK_SECONDS = 1.0
_TELL_SECONDS = 10.0


def first_pair(settings: Settings) -> ServingPair:
    """Get a pair that can be served now. Raises BadInput where `--tls` names none, CouldNot where it cannot be kept.

    With `--tls cluster` it waits until there is one: whoever issues it may start later. SIGTERM ends the wait, and the
    process with it.
    """
    if settings.tls == "cluster":
        signal.signal(signal.SIGTERM, _leave)
        return _from_cluster(settings)
    now = datetime.now(UTC)
    try:
        if settings.tls == "self":
            outcome = ensure(settings.certificates, settings.hosts, now=now)
            if not isinstance(outcome, Kept):
                _log.info("issued a certificate", reason=outcome.reason)
        return load(settings.certificates, now=now)
    except CertificateError as error:
        raise BadInput(f"--tls: {error}") from error


def _leave(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - the signature of a handler
    """End at once. The first process of a container ends by SIGTERM only where it says how (signal(7), pid 1)."""
    sys.exit(0)


def _from_cluster(settings: Settings) -> ServingPair:
    try:
        with connect() as kube:
            mirror = SecretMirror(
                kube, namespace=settings.namespace, directory=settings.certificates
            )
            mirror.prepare()
            return _awaited(mirror, settings.certificates)
    except (KubeError, CertificateError) as error:
        raise CouldNot(f"--tls cluster: {error}") from error


def _awaited(mirror: SecretMirror, directory: Path) -> ServingPair:
    """Look again and again; what was mirrored before will do while the API server is away."""
    told_at = float("-inf")
    while True:
        mirror.refresh()
        pair = _mirrored(directory)
        if pair is not None:
            if mirror.problem:
                _log.warning("serving the certificate of before", problem=mirror.problem)
            return pair
        if time.monotonic() - told_at >= _TELL_SECONDS:
            told_at = time.monotonic()
            _log.warning("waiting for a certificate", source=mirror.source, problem=mirror.problem)
        time.sleep(_LOOK_SECONDS)


def _mirrored(directory: Path) -> ServingPair | None:
    try:
        return load(directory, now=datetime.now(UTC))
    except CertificateError:
        return None
