"""`nbgate serve`: the webhook. Reads the flags, checks what they name, and starts the process tree."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click
import structlog

from certs.directory import ServingPair
from certs.layout import AUTHORITY_CERTIFICATE
from webhook import __version__
from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.firstpair import first_pair
from webhook.cli.home import home
from webhook.cli.listen import ListenAddress, check_free
from webhook.cli.logs import configure
from webhook.cli.settings import NO_FILE, Settings
from webhook.cli.state import (
    CLUSTER,
    all_scans_option,
    policy_option,
    read_policy_file,
    scan_folder,
)
from webhook.core.audit import Level
from webhook.kube import connect, context_namespace, own_namespace
from webhook.kubeerrors import KubeError

_log = structlog.get_logger("nbgate.serve")
# Where the manifests put nbgate; for a kubeconfig that names no namespace.
_NAMESPACE = "nbgate-system"


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
    metavar="self|DIR|cluster",
    help="self issues a certificate of its own in $NBGATE_HOME/certs and renews it; DIR holds tls.crt and tls.key as "
    "a Secret mounts them, and optionally client-ca.crt, whose clients alone are then decided for; cluster follows "
    "the Secret nbgate-tls of the pod's own namespace (outside of a pod, of the kubeconfig's), and waits for it.",
)
@policy_option
@all_scans_option
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
    help="In each process, for large reviews and for refusals, whose records wait for the disk.",
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

    With --policy cluster or --scans cluster the label nbgate.dev/mode of namespaces counts too, and what was last known
    is kept in $NBGATE_HOME/snapshot, for a start while the API server is away. With --scans cluster a scan is asked
    for where an image has none. The cluster is the one that the pod runs in, else that of KUBECONFIG.
    """
    configure(log_level)
    host, port = listen
    check_free(host, port)
    issuer, certificates = _certificates(tls)
    settings = Settings(
        host=host,
        port=port,
        tls=issuer,
        certificates=certificates,
        namespace=_namespace() if issuer == "cluster" else "",
        policy=None if policy == CLUSTER else policy or home().policy,
        policy_required=policy is not None,
        scans=None if scans == CLUSTER else scan_folder(scans),
        kept=home().snapshot,
        audit_log=_audit_log(audit_log),
        audit_level=audit_level,
        workers=workers,
        threads=threads,
        grace=grace,
    )
    if settings.policy is not None:
        read_policy_file(policy)
    if settings.speaks_to_cluster:
        _check_cluster(settings)
    pair = first_pair(settings)
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


def _certificates(tls: str) -> tuple[Literal["self", "folder", "cluster"], Path]:
    """Say who issues the certificate, and which folder it is served from. Raises BadInput."""
    match tls:
        case "self":
            return "self", home().certs
        case "cluster":
            return "cluster", home().certs
        case _ if Path(tls).is_dir():
            return "folder", Path(tls)
    raise BadInput(
        f"--tls: {tls} is no folder: name one with tls.crt and tls.key, or self, or cluster"
    )


def _namespace() -> str:
    return own_namespace() or context_namespace() or _NAMESPACE


def _check_cluster(settings: Settings) -> None:
    """Find out now whether it is known which cluster to speak to: a worker would only end again and again."""
    flags = {
        "--tls": settings.tls == "cluster",
        "--policy": settings.policy is None,
        "--scans": settings.scans is None,
    }
    try:
        connect().close()
    except KubeError as error:
        named = ", ".join(f"{flag} cluster" for flag, asked in flags.items() if asked)
        raise CouldNot(f"{named}: {error}") from error


def _audit_log(named: str | None) -> Path | None:
    if named == NO_FILE:
        return None
    return Path(named) if named else home().audit_log


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
    next_steps = _next_steps(urls[0].rpartition(":")[2], settings)
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


def _next_steps(port: str, settings: Settings) -> list[str]:
    program, authority = sys.argv[0], settings.certificates / AUTHORITY_CERTIFICATE
    scans = f"{program} scans import docs/examples/scans.yaml"
    return [
        f"curl --cacert {authority if authority.exists() else 'CA'} https://localhost:{port}/readyz",
        f"{program} review docs/examples/notebook.yaml",
        scans if settings.scans is not None else "kubectl get imagescans",
    ]
