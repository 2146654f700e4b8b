"""`nbgate serve`: the webhook. Reads the flags, checks what they name, and starts the process tree."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import structlog

from certs.directory import ServingPair, load
from certs.errors import CertificateError
from certs.layout import AUTHORITY_CERTIFICATE
from certs.selfsigned import Kept, ensure
from webhook import __version__
from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.home import home
from webhook.cli.listen import ListenAddress, check_free
from webhook.cli.logs import configure
from webhook.cli.settings import NO_FILE, Settings
from webhook.cli.state import policy_option, read_policy_of, scan_folder, scans_option
from webhook.core.audit import Level

_log = structlog.get_logger("nbgate.serve")


@click.command()
@click.option(
    "--listen",
    type=ListenAddress(),
    default="0.0.0.0:8443",
    show_default=True,
    help="The address to listen on.",
)
@click.option(
    "--tls",
    default="self",
    show_default=True,
    metavar="self|DIR",
    help="self issues a certificate of its own in $NBGATE_HOME/certs and renews it; DIR holds tls.crt and tls.key as "
    "a Secret mounts them, and optionally client-ca.crt, whose clients alone are then decided for.",
)
@policy_option
@scans_option
@click.option(
    "--audit-log",
    metavar="FILE|none",
    help="Where audit records go besides standard output; rotation may move the file at any time.  "
    "[default: $NBGATE_HOME/audit.jsonl]",
)
@click.option(
    "--audit-level",
    type=click.Choice(["denied", "warned", "all"]),
    default="warned",
    show_default=True,
    help="What is recorded. Denials and uses of exemptions always are.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes. In a cluster replicas serve better: each process has its own copy of the scans.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Decisions at a time in each process; more than 8 only adds latency.",
)
@click.option(
    "--grace",
    type=click.IntRange(0, 300),
    default=10,
    show_default=True,
    help="Seconds to serve on after SIGTERM, not ready, so that clients turn elsewhere.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged on standard error.",
)
def command(
    listen: tuple[str, int],
    tls: str,
    policy: Path | None,
    scans: Path | None,
    audit_log: str | None,
    audit_level: Level,
    workers: int,
    threads: int,
    grace: int,
    log_level: str,
) -> None:
    """Run the admission webhook: POST /mutate and /validate, GET /livez, /readyz and /metrics.

    A changed certificate, policy or scan takes effect within seconds and without a restart; a bad new one is reported,
    and the last good one stays. SIGTERM ends it without losing a request.
    """
    configure(log_level)
    host, port = listen
    check_free(host, port)
    settings = Settings(
        host=host,
        port=port,
        certificates=home().certs if tls == "self" else _directory(tls),
        self_signed=tls == "self",
        policy=policy or home().policy,
        policy_required=policy is not None,
        scans=scan_folder(scans),
        audit_log=_audit_log(audit_log),
        audit_level=audit_level,
        workers=workers,
        threads=threads,
        grace=grace,
    )
    read_policy_of(policy)
    pair = _first_pair(settings)
    with _metrics_folder(shared=workers > 1):
        _run(settings, pair)


@contextmanager
def _metrics_folder(*, shared: bool) -> Iterator[None]:
    """Name the folder in which several workers add up their metrics; must stand before prometheus_client is imported.

    Removed by the process that made it, and not by the workers, which end through here too.
    """
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    if not shared:
        yield
        return
    folder, owner = tempfile.mkdtemp(prefix="nbgate-metrics-"), os.getpid()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)


def _directory(tls: str) -> Path:
    if tls == "cluster":
        raise BadInput("--tls cluster: this version has no cluster mode yet; name self or a folder")
    path = Path(tls)
    if not path.is_dir():
        raise BadInput(f"--tls: {path} is no folder: name one with tls.crt and tls.key, or self")
    return path


def _audit_log(named: str | None) -> Path | None:
    if named == NO_FILE:
        return None
    return Path(named) if named else home().audit_log


def _first_pair(settings: Settings) -> ServingPair:
    """Issue what is missing and load what is there now, so that a fault ends the command and not a worker."""
    now = datetime.now(UTC)
    try:
        if settings.self_signed:
            outcome = ensure(settings.certificates, settings.hosts, now=now)
            if not isinstance(outcome, Kept):
                _log.info("issued a certificate", reason=outcome.reason)
        return load(settings.certificates, now=now)
    except CertificateError as error:
        raise BadInput(f"--tls: {error}") from error


def _run(settings: Settings, pair: ServingPair) -> None:
    from webhook.cli.edge import build_edge, open_audit_log  # noqa: PLC0415 - see PROMETHEUS_MULTIPROC_DIR
    from webhook.server.serving import Listening, Server  # noqa: PLC0415 - see PROMETHEUS_MULTIPROC_DIR

    open_audit_log(settings)
    listening = Listening(
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        threads=settings.threads,
        grace=settings.grace,
    )
    server = Server(
        listening, lambda: build_edge(settings, pair), lambda urls: _announce(urls, settings)
    )
    owner = os.getpid()
    try:
        server.run()
    except OSError as error:
        raise CouldNot(f"the server cannot start: {error}") from error
    except SystemExit as stop:
        # workers end through here too, with codes that the arbiter reads
        if os.getpid() == owner and stop.code:
            raise CouldNot("the server has ended: the log above says why") from stop
        raise


def _announce(urls: list[str], settings: Settings) -> None:
    """Say what the server listens on, where its state is, and what to try next."""
    port, program = urls[0].rpartition(":")[2], sys.argv[0]
    authority = settings.certificates / AUTHORITY_CERTIFICATE
    next_steps = [
        f"curl --cacert {authority if authority.exists() else 'CA'} https://localhost:{port}/readyz",
        f"{program} review docs/examples/notebook.yaml",
        f"{program} scans import docs/examples/scans.yaml",
    ]
    if not sys.stderr.isatty():
        places = settings.places()
        _log.info("listening", url=urls[0], version=__version__, **places, try_next=next_steps)
        return
    lines = [
        f"nbgate {__version__} listens on {', '.join(urls)}",
        *(f"  {name:<10} {place}" for name, place in settings.places().items()),
        "Try, in another terminal:",
        *(f"  {step}" for step in next_steps),
        "Ctrl-C ends it.",
    ]
    click.echo("\n".join(lines), err=True)
