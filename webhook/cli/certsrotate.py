"""`nbgate certs rotate`: another CA, in the order that loses no request."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from certs.layout import LEAF_CERTIFICATE
from certs.rotationprogress import Phase, Progress, progress
from certs.rotationstate import read_state
from certs.rotationview import first_of, is_own
from webhook.cli.certsrotatedir import certificate_data, moment, rotate_directory
from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.output import Format, emit, output_option
from webhook.cli.saying import say
from webhook.controller.certificateobjects import ROTATE, request_of, secret_data
from webhook.controller.certificates import AUTHORITIES, SERVING
from webhook.core.document import parse_duration
from webhook.doctor.place import NAMESPACE
from webhook.kube import SECRETS, Kube, connect
from webhook.kubeerrors import KubeError, NotFound

_PAUSE = 1.0  # seconds between two looks
_IN_THE_END = frozenset({Phase.OVERLAP, Phase.DONE})


@click.command("rotate")
@click.option(
    "--dir",
    "directory",
    envvar="NBGATE_CERTS_ROTATE_DIR",
    type=click.Path(path_type=Path),
    help="Without a cluster: the folder of nbgate certs issue, changed over in three runs of this command.",
)
@click.option(
    "--now",
    "forced",
    is_flag=True,
    envvar="NBGATE_CERTS_ROTATE_NOW",
    help="The CA's key may be in wrong hands: drop the CA as soon as every ready replica serves a certificate of the "
    "new one, not only when its last certificate has ended.",
)
@click.option(
    "--wait", is_flag=True, help="Wait until every ready replica serves a certificate of it."
)
@click.option(
    "--timeout",
    metavar="DURATION",
    default="10m",
    show_default=True,
    help="How long to wait: 90s, 10m.",
)
@click.option(
    "--namespace", metavar="NAME", default=NAMESPACE, show_default=True, help="Where nbgate runs."
)
@click.option("--context", metavar="NAME", help="The cluster, as a context of the kubeconfig.")
@output_option
def command(
    directory: Path | None,
    timeout: str,
    namespace: str,
    context: str | None,
    output: Format,
    *,
    forced: bool,
    wait: bool,
) -> None:
    """Have the controller replace the CA and all certificates of it, without a request lost.

    It takes a minute or so: every caBundle gets the new CA beside the old one, API servers learn of it, replicas get
    certificates of the new one. The old CA stays trusted until its last certificate has ended, for a replica may come
    back with one while it cannot reach the API server. You need the right to get Secrets nbgate-ca and
    nbgate-tls, and to patch the former.
    """
    seconds = _seconds(timeout)
    if directory is not None:
        if forced or wait:
            raise BadInput(
                "--dir: what --now and --wait mean is yours to decide there: leave them out"
            )
        return rotate_directory(directory, output)
    try:
        with connect(context=context) as kube:
            site = _Site(kube, namespace)
            before = site.look()
            site.ask(before, forced=forced)
            asked = replace(before, phase=Phase.ASKED, words="the controller sees to it")
            reached = site.wait(before, seconds, forced=forced) if wait else asked
    except KubeError as error:
        raise CouldNot(str(error)) from error
    data = {"namespace": namespace, "forced": forced, "waited": wait, **_progress_data(reached)}
    emit(data, output, lambda out: _print(out, reached, namespace, waited=wait))
    return None


def _seconds(timeout: str) -> int:
    try:
        return parse_duration(timeout)
    except ValueError as error:
        raise BadInput(f"--timeout: {error}") from None


class _Site:
    """The Secrets of one installation."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace

    def ask(self, before: Progress, *, forced: bool) -> None:
        """Ask for a rotation. Raises BadInput or KubeError."""
        _check_ours(before, f"Secret {AUTHORITIES} in namespace {self._namespace}")
        value = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" + (" now" if forced else "")
        patch = {"metadata": {"annotations": {ROTATE: value}}}
        self._kube.patch(SECRETS, AUTHORITIES, patch, self._namespace)

    def look(self) -> Progress:
        """Tell how far it is. Raises KubeError."""
        authorities = self._secret(AUTHORITIES)
        leaf = first_of(secret_data(self._secret(SERVING)).get(LEAF_CERTIFICATE, b""))
        asked = request_of(authorities) is not None
        return progress(read_state(secret_data(authorities)), leaf, asked=asked)

    def wait(self, before: Progress, seconds: int, *, forced: bool) -> Progress:
        """Follow the rotation to its end. Raises CouldNot after so many seconds, or KubeError."""
        # A request that finds one under way is that one: the CA is not another then.
        joined = before.phase is Phase.TRUSTING and not forced
        known = {before.signer.fingerprint} if before.signer and not joined else set()
        deadline = time.monotonic() + seconds
        told = ""
        while True:
            reached = self.look()
            if reached.words != told:
                told = reached.words
                say(f"{reached.phase.lower()}: {told}")
            changed = reached.signer is not None and reached.signer.fingerprint not in known
            if reached.phase in _IN_THE_END and changed:
                return reached
            if time.monotonic() >= deadline:
                raise CouldNot(_not_in_time(reached, self._namespace, seconds))
            time.sleep(_PAUSE)

    def _secret(self, name: str) -> dict[str, Any]:
        try:
            return self._kube.get(SECRETS, name, self._namespace)
        except NotFound as error:
            raise NotFound(
                f"{error}; is nbgate in namespace {self._namespace}? (--namespace)"
            ) from error


def _check_ours(before: Progress, place: str) -> None:
    if before.signer is None and not before.formers:
        raise BadInput(
            f"{place} holds no CA yet, so none can be replaced: the controller issues the first by itself"
        )
    if before.signer is not None and not is_own(before.signer):
        raise BadInput(
            f"{place} holds {before.signer.subject}, which nbgate did not issue and does not replace: put "
            "its successor there (docs/certificates.md), or renew it where it came from"
        )


def _not_in_time(reached: Progress, namespace: str, seconds: int) -> str:
    return (
        f"the rotation is not done after {seconds} s ({reached.phase}: {reached.words}); it goes on by itself, and the "
        f"controller's log says more: kubectl -n {namespace} logs deployment/nbgate-controller | grep -i certificate"
    )


def _progress_data(reached: Progress) -> dict[str, Any]:
    return {
        "phase": str(reached.phase),
        "message": reached.words,
        "ca": certificate_data(reached.signer),
        "formerCAs": [
            {
                **(certificate_data(one.certificate) or {}),
                "trustedUntil": moment(one.leaves_until),
            }
            for one in reached.formers
        ],
        "certificate": certificate_data(reached.leaf),
    }


def _print(out: Console, reached: Progress, namespace: str, *, waited: bool) -> None:
    if not waited:
        out.print("Asked for a rotation; the controller sees to it, in a minute or so")
        out.print(
            f"  follow it: kubectl -n {namespace} logs deployment/nbgate-controller -f | grep -i certificate"
        )
        return
    out.print("Every ready replica serves a certificate of the new CA")
    if reached.signer:
        out.print(f"  CA: {reached.signer.subject}, until {reached.signer.not_after:%Y-%m-%d}")
    out.print(f"  {reached.words}")
