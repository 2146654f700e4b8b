"""`nbgate controller`: reads the flags, checks what they name, and works until it is told to end."""

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Literal

import click

from certs.lifetime import LEAF_LIFETIME, SHORTEST
from webhook.cli.controlleroptions import Idleness, Lifetime
from webhook.cli.controllersettings import ControllerSettings, ProbeSettings
from webhook.cli.exits import BadInput
from webhook.cli.listen import ListenAddress, check_free
from webhook.cli.logs import configure
from webhook.cli.scanoptions import Platform, RegistryHost, Wait
from webhook.controller.certificates import AUTHORITY_LIFETIME
from webhook.kube import own_namespace
from webhook.scanner.errors import SourceError
from webhook.scanner.probes.probe import NAMESPACE
from webhook.scanner.sources.credentialfiles import read_auth_file
from webhook.scanner.sources.registry import RegistryOptions
from webhook.scanner.sources.retries import Retries

_OUTSIDE = "nbgate-system"  # the namespace where this is no pod
# A registry that asks for patience is left alone by all workers, so none of them waits for it.
_RETRIES = Retries(longest=2.0)
_HOUR = timedelta(hours=1)
# Seconds: a usual image takes as many, and one that is never scanned never starts.
_SHORTEST_SCAN = 60
_SHORTEST_CLAIM = 3  # seconds: renewed every second, and a claim is written in whole seconds


@click.command()
@click.option(
    "--listen",
    type=ListenAddress(),
    default="0.0.0.0:8080",
    show_default=True,
    help="The address of /livez, /readyz and /metrics, over plain HTTP.",
)
@click.option(
    "--namespace",
    metavar="NAME",
    help=f"The namespace of the Lease and the certificates.  [default: the pod's own, else {_OUTSIDE}]",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 32),
    default=2,
    show_default=True,
    help="Images at a time. One that is started takes up to 2 GiB of a node's memory.",
)
@click.option(
    "--probe",
    type=click.Choice(["cluster", "none"]),
    default="cluster",
    show_default=True,
    help="How images are started to see what they answer: in pods of this cluster, or not at all, and then what only a "
    "start can tell stays unknown.",
)
@click.option(
    "--probe-namespace",
    metavar="NAME",
    default=NAMESPACE,
    show_default=True,
    help="The namespace in which images are started. Nothing else should be in it.",
)
@click.option(
    "--pull-secret",
    "pull_secrets",
    envvar="NBGATE_CONTROLLER_PULL_SECRET",
    metavar="NAME",
    multiple=True,
    help="A Secret in that namespace, with which nodes pull images; may be given again.",
)
@click.option(
    "--start-timeout",
    type=Wait(),
    default="2m",
    show_default=True,
    help="How long a started image is waited for: 90s, 5m.",
)
@click.option(
    "--platform",
    "platforms",
    envvar="NBGATE_CONTROLLER_PLATFORM",
    type=Platform(),
    multiple=True,
    default=["linux/amd64"],
    show_default=True,
    help="A platform to judge, of the nodes that run notebooks; may be given again. Images are started on the first.",
)
@click.option(
    "--private-registry",
    "private_registries",
    envvar="NBGATE_CONTROLLER_PRIVATE_REGISTRY",
    type=RegistryHost(),
    multiple=True,
    help="A registry that may be at a private or loopback address; may be given again. Others must be at public ones: "
    "whoever starts a notebook chooses what is asked for.",
)
@click.option(
    "--plain-http",
    envvar="NBGATE_CONTROLLER_PLAIN_HTTP",
    type=RegistryHost(),
    multiple=True,
    help="A registry that speaks http without TLS; may be given again.",
)
@click.option(
    "--auth-file",
    "auth_files",
    envvar="NBGATE_CONTROLLER_AUTH_FILE",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Logins for registries: a Docker config file, or a folder where a pull secret is mounted; may be given again.",
)
@click.option(
    "--token-realm",
    "token_realms",
    envvar="NBGATE_CONTROLLER_TOKEN_REALM",
    type=RegistryHost(),
    multiple=True,
    help="A host besides the registry's own that may be given its login for a token; may be given again.",
)
@click.option(
    "--claim",
    type=Wait(),
    default="60s",
    show_default=True,
    help="How long an image stays a replica's that has died in the middle of its scan. The same for all replicas.",
)
@click.option(
    "--scan-timeout",
    type=Wait(),
    default="30m",
    show_default=True,
    help="How long one image may take in all. What one namespace asked for has at most half of the scans at a time, so "
    "others wait for it only where that is one.",
)
@click.option(
    "--prune-after",
    type=Idleness(),
    default="720h",
    show_default=True,
    help="Remove results that admission asked for and no notebook has used for so long, and after a day or two those "
    "that were used for less than a day; none: never.",
)
@click.option(
    "--certificates",
    type=click.Choice(["self", "none"]),
    default="self",
    show_default=True,
    help="self issues and rotates the webhook's certificates; none where others do, as cert-manager.",
)
@click.option(
    "--leaf-lifetime",
    type=Lifetime(SHORTEST),
    default=f"{LEAF_LIFETIME // _HOUR}h",
    show_default=True,
    help="How long a certificate of the webhook holds.",
)
@click.option(
    "--ca-lifetime",
    type=Lifetime(SHORTEST),
    default=f"{AUTHORITY_LIFETIME // _HOUR}h",
    show_default=True,
    help="How long a CA holds.",
)
@click.option("--context", metavar="NAME", help="The cluster, as a context of the kubeconfig.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged on standard error.",
)
def command(
    listen: tuple[str, int],
    namespace: str | None,
    at_once: int,
    probe: Literal["cluster", "none"],
    probe_namespace: str,
    pull_secrets: tuple[str, ...],
    start_timeout: int,
    platforms: tuple[str, ...],
    private_registries: tuple[str, ...],
    plain_http: tuple[str, ...],
    auth_files: tuple[Path, ...],
    token_realms: tuple[str, ...],
    claim: int,
    scan_timeout: int,
    prune_after: float,
    certificates: Literal["self", "none"],
    leaf_lifetime: timedelta,
    ca_lifetime: timedelta,
    context: str | None,
    log_level: str,
) -> None:
    """Keep the results in the cluster fresh: scan images, resolve tags again, and what else must be done once.

    Any number of replicas share the scans by claims on the ImageScans. One of them, which holds the Lease
    nbgate-controller, looks after certificates, starts notebooks whose image turns out to work, posts Events on
    Notebooks, and removes results that nobody uses. SIGTERM hands everything over within seconds.
    """
    configure(log_level)
    if claim < _SHORTEST_CLAIM:
        raise BadInput(f"--claim: {claim}s is too short: at least {_SHORTEST_CLAIM}s")
    if scan_timeout < _SHORTEST_SCAN:
        raise BadInput(f"--scan-timeout: {scan_timeout}s is too short: at least {_SHORTEST_SCAN}s")
    _check_logins(auth_files)
    host, port = listen
    check_free(host, port)
    probes = ProbeSettings(
        namespace=probe_namespace, pull_secrets=pull_secrets, timeout=start_timeout
    )
    settings = ControllerSettings(
        host=host,
        port=port,
        identity=socket.gethostname(),  # a pod's is its name
        namespace=namespace or own_namespace() or _OUTSIDE,
        at_once=at_once,
        claim=claim,
        longest=scan_timeout,
        platforms=platforms,
        registry=RegistryOptions(
            auth_files=auth_files,
            user_files=False,
            environ=os.environ,
            plain_http=frozenset(plain_http),
            token_realms=frozenset(token_realms),
            private=False,
            private_hosts=frozenset(private_registries),
            retries=_RETRIES,
        ),
        probes=probes if probe == "cluster" else None,
        prune_after=None if prune_after == float("inf") else prune_after,
        certificates=certificates,
        leaf_lifetime=leaf_lifetime,
        ca_lifetime=ca_lifetime,
    )
    # Half a second of imports, and not before the flags are checked.
    from webhook.cli.controllerrun import run  # noqa: PLC0415 - see above

    run(settings, context)


def _check_logins(files: tuple[Path, ...]) -> None:
    """Read them once for nothing, so that a broken one ends the command and not each scan. Raises BadInput."""
    for file in files:
        try:
            read_auth_file(file)
        except SourceError as error:
            raise BadInput(f"--auth-file: {error}") from error
