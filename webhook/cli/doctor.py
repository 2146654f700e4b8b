"""`nbgate doctor`: checks an installation in a cluster."""

import time
from dataclasses import replace
from typing import Any

import click

from webhook.cli.doctortable import print_examined
from webhook.cli.exits import COULD_NOT, DENIED, OK, CouldNot
from webhook.cli.output import Format, emit, output_option
from webhook.doctor.examination import Examined, examine
from webhook.doctor.finding import Result, worst
from webhook.doctor.place import NAMESPACE, Place
from webhook.doctor.recognition import recognised
from webhook.doctor.site import Site
from webhook.kube import connect
from webhook.kubeerrors import KubeError

_EXIT_CODES: dict[Result, int] = {"ok": OK, "warning": OK, "wrong": DENIED, "unknown": COULD_NOT}


@click.command()
@click.option("--context", metavar="NAME", help="The kubeconfig's context, if not the current one.")
@click.option(
    "--namespace",
    metavar="NAME",
    default=NAMESPACE,
    show_default=True,
    help="Where nbgate's Deployments are.",
)
@click.option(
    "--profile",
    metavar="NAME",
    help="The profile namespace for the dry runs; by default the first in which notebooks are refused.",
)
@output_option
@click.pass_context
def command(
    ctx: click.Context, context: str | None, namespace: str, profile: str | None, output: Format
) -> None:
    """Check an installation in a cluster, and say what to type.

    Nothing is changed: pods are tried as dry runs. Whoever runs it needs rights to look; what it may not look at is
    told of.

    Exit codes: 0 all is well, warnings aside; 1 something is wrong; 2 usage; 3 the cluster cannot be reached, or
    something could not be looked at.
    """
    place = Place(namespace=namespace, context=context, profile=profile)
    try:
        with connect(context=context) as kube:
            kube.version()
            site = Site(kube=kube, place=place, now=time.time())
            site = replace(site, place=recognised(site))
            examined = tuple(examine(site))
    except KubeError as error:
        raise CouldNot(str(error)) from error
    result = worst(one.result for one in examined)
    emit(_data(place, examined, result), output, lambda out: print_examined(out, examined))
    ctx.exit(_EXIT_CODES[result])


def _data(place: Place, examined: tuple[Examined, ...], result: Result) -> dict[str, Any]:
    return {
        "nbgate": place.version,
        "namespace": place.namespace,
        "result": result,
        "checks": [
            {
                "check": one.check.id,
                "result": one.result,
                "why": one.check.why,
                "findings": [
                    {"result": f.result, "where": f.where, "finding": f.what, "cure": f.cure}
                    for f in one.findings
                ],
            }
            for one in examined
        ],
    }
