"""`nbgate scan`: what images really do, found out from where they are kept and by starting them."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import click

from webhook.cli.exits import BadInput
from webhook.cli.home import home
from webhook.cli.output import Format, output_option
from webhook.cli.saying import say
from webhook.cli.scanoptions import Platform, RegistryHost, Wait
from webhook.cli.scanprobe import ProbeChoice, ProbeName, chosen_probe
from webhook.cli.scanrun import Request, run
from webhook.cli.scanstore import open_store
from webhook.cli.scanwanted import STANDARD_INPUT, Wanted, read_wanted
from webhook.scanner.errors import SourceError
from webhook.scanner.layers.cache import LayerCache
from webhook.scanner.probes.probe import NAMESPACE
from webhook.scanner.progress import Progress
from webhook.scanner.scanning import Scanned, ScanSettings, scan_image
from webhook.scanner.sources.credentialfiles import read_auth_file
from webhook.scanner.sources.registry import RegistryOptions


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--probe",
    type=click.Choice(["podman", "cluster", "none"]),
    help="How images are started to see what they answer: in local containers, in pods of a cluster, or not at all.  "
    "[default: podman where it is installed, else none]",
)
@click.option(
    "--save",
    metavar="DIR|cluster",
    help="Keep the results: in a folder of ImageScan documents, of which $NBGATE_HOME/scans is the one that serve and "
    "review read by themselves, or in the cluster.",
)
@click.option(
    "--as",
    "alias",
    # the parameter cannot be called `as`, which is a word of Python
    envvar="NBGATE_SCAN_AS",
    metavar="IMAGE",
    help="The name that pods will use for the one oci:DIR or docker-archive:FILE that is scanned.",
)
@click.option(
    "--platform",
    "platforms",
    envvar="NBGATE_SCAN_PLATFORM",
    type=Platform(),
    multiple=True,
    help="A platform to judge; may be given again.  [default: linux/amd64 and linux/arm64 where the image has them]",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 32),
    default=2,
    show_default=True,
    help="Images at a time. One that is started takes up to 2 GiB of memory.",
)
@click.option(
    "--timeout",
    type=Wait(),
    default="2m",
    show_default=True,
    help="How long a started image is waited for: 90s, 5m.",
)
@click.option(
    "--auth-file",
    "auth_files",
    envvar="NBGATE_SCAN_AUTH_FILE",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Logins for registries: a Docker config file, or a pull secret as a manifest or a folder; may be given again. "
    "What docker login and podman login keep is used besides.",
)
@click.option(
    "--plain-http",
    envvar="NBGATE_SCAN_PLAIN_HTTP",
    type=RegistryHost(),
    multiple=True,
    help="A registry that speaks http without TLS; may be given again. One on this machine is found out.",
)
@click.option(
    "--token-realm",
    "token_realms",
    envvar="NBGATE_SCAN_TOKEN_REALM",
    type=RegistryHost(),
    multiple=True,
    help="A host besides the registry's own that may be given its login for a token; may be given again.",
)
@click.option("--no-cache", is_flag=True, help="Read every layer anew.")
@click.option("--context", metavar="NAME", help="The cluster, as a context of the kubeconfig.")
@click.option(
    "--probe-namespace",
    metavar="NAME",
    default=NAMESPACE,
    show_default=True,
    help="The namespace in which --probe cluster starts images; made if it is missing. Nothing else should be in it.",
)
@click.option(
    "--pull-secret",
    "pull_secrets",
    envvar="NBGATE_SCAN_PULL_SECRET",
    metavar="NAME",
    multiple=True,
    help="A Secret in that namespace, with a login for a registry; may be given again.",
)
@output_option
@click.pass_context
def command(
    ctx: click.Context,
    images: tuple[str, ...],
    probe: ProbeName | None,
    save: str | None,
    alias: str | None,
    platforms: tuple[str, ...],
    jobs: int,
    timeout: int,
    auth_files: tuple[Path, ...],
    plain_http: tuple[str, ...],
    token_realms: tuple[str, ...],
    context: str | None,
    probe_namespace: str,
    pull_secrets: tuple[str, ...],
    output: Format,
    *,
    no_cache: bool,
) -> None:
    """Scan images: find out whether they work as notebooks, by Kubeflow's seven requirements.

    IMAGE is a reference as pods have it, oci:DIR for a layout, docker-archive:FILE for what docker save wrote, or - for
    standard input with one image a line. Nothing is unpacked, and what is started is confined and removed. With -o json
    or yaml the results are ImageScan documents, which `nbgate scans import` takes.

    Exits 0 when no image is known not to conform, 1 when one does not, 3 when one could not be scanned or saved; the
    others are scanned and saved all the same.
    """
    wanted = read_wanted(images, alias)
    _check_logins(auth_files)
    registry = RegistryOptions(
        auth_files=auth_files,
        environ=os.environ,
        plain_http=frozenset(plain_http),
        token_realms=frozenset(token_realms),
    )
    choice = ProbeChoice(
        name=probe,
        platforms=platforms,
        namespace=probe_namespace,
        context=context,
        pull_secrets=pull_secrets,
    )
    with open_store(save, context) as store, chosen_probe(choice) as starter:
        settings = ScanSettings(
            platforms=platforms,
            registry=registry,
            cache=None if no_cache else LayerCache(home().layers, tell=say),
            probe=starter,
            start_timeout=timeout,
        )
        request = Request(
            images=wanted,
            jobs=jobs,
            store=store,
            output=output,
            listed=len(wanted) > 1 or STANDARD_INPUT in images,
            probed=starter is not None,
        )
        ctx.exit(run(request, lambda one, progress: _scan(one, settings, progress)))


def _check_logins(files: Sequence[Path]) -> None:
    """Read them once for nothing, so that a broken one ends the command and not each image. Raises BadInput."""
    for file in files:
        try:
            read_auth_file(file)
        except SourceError as error:
            raise BadInput(f"--auth-file: {error}") from error


def _scan(wanted: Wanted, settings: ScanSettings, progress: Progress) -> Scanned:
    return scan_image(wanted.name, settings, alias=wanted.alias, now=time.time, progress=progress)
