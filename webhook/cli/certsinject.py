"""`nbgate certs inject`: a CA into the caBundle of the webhook configurations, for those who bring their own."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from certs.bundle import fingerprints, merged
from certs.certificate import Certificate, describe
from certs.errors import CertificateError
from certs.files import read
from certs.layout import AUTHORITY_CERTIFICATE
from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.output import Format, emit, new_table, output_option
from webhook.controller.certificateobjects import bundle_of, entries_of, with_bundles
from webhook.controller.certificates import CONFIGURATION
from webhook.kube import MUTATING_CONFIGURATIONS, VALIDATING_CONFIGURATIONS, Document, Kube, connect
from webhook.kubeerrors import Conflict, KubeError, NotFound, Resource

_KINDS = (MUTATING_CONFIGURATIONS, VALIDATING_CONFIGURATIONS)
_TRIES = 5  # somebody else writes at the same time: the controller, or cert-manager


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one entry's bundle."""

    configuration: str
    entry: str
    before: tuple[Certificate, ...]
    after: tuple[Certificate, ...]

    @property
    def changed(self) -> bool:
        """Whether anything does."""
        return self.before != self.after


@click.command("inject")
@click.option(
    "--ca",
    "path",
    required=True,
    envvar="NBGATE_CERTS_INJECT_CA",
    type=click.Path(path_type=Path),
    help="The CA to trust: a PEM file, which may hold several, or a folder with ca.crt.",
)
@click.option(
    "--add",
    is_flag=True,
    help="Keep what is trusted now. Do so first; replace when every server has a certificate of the new CA.",
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option(
    "--name",
    metavar="NAME",
    default=CONFIGURATION,
    show_default=True,
    help="What both configurations are called.",
)
@click.option("--context", metavar="NAME", help="The cluster, as a context of the kubeconfig.")
@output_option
def command(
    path: Path,
    name: str,
    context: str | None,
    output: Format,
    *,
    add: bool,
    dry_run: bool,
) -> None:
    """Write a CA into the caBundle of every entry of both webhook configurations.

    For certificates that you issue yourself; nbgate's controller and cert-manager write caBundle on their own. Without
    --add what is trusted now is replaced: requests fail until every server has a certificate of the new CA. You need
    the right to get and update mutatingwebhookconfigurations and validatingwebhookconfigurations.
    """
    authorities = _authorities(path)
    try:
        with connect(context=context) as kube:
            changes = [
                change
                for kind in _KINDS
                for change in _inject(kube, kind, name, authorities, add=add, dry_run=dry_run)
            ]
    except KubeError as error:
        raise CouldNot(str(error)) from error
    if not changes:
        raise CouldNot(
            f"there is no webhook configuration called {name}: install nbgate, or name another with --name"
        )
    data = [_data(one, dry_run=dry_run) for one in changes]
    emit(data, output, lambda out: _print(out, changes, dry_run=dry_run))


def _authorities(path: Path) -> tuple[Certificate, ...]:
    file = path / AUTHORITY_CERTIFICATE if path.is_dir() else path
    try:
        found = describe(read(file), source=str(file))
    except CertificateError as error:
        raise BadInput(f"--ca: {error}") from error
    now = datetime.now(UTC)
    for one in found:
        # A certificate that is its own CA may be trusted as it is; any other is most likely the wrong file.
        if not one.is_ca and one.subject != one.issuer:
            raise BadInput(f"--ca: {file}: {one.subject} is no CA; give the one that issued it")
        if not one.not_before <= now <= one.not_after:
            until = f"holds from {one.not_before:%Y-%m-%d} to {one.not_after:%Y-%m-%d}"
            raise BadInput(f"--ca: {file}: {one.subject} {until}, not now; give one that does")
    return found


def _inject(
    kube: Kube,
    kind: Resource,
    name: str,
    authorities: Sequence[Certificate],
    *,
    add: bool,
    dry_run: bool,
) -> list[Change]:
    """Write one configuration, again where somebody else was faster. Raises KubeError."""
    for _ in range(_TRIES - 1):
        with suppress(Conflict):
            return _inject_once(kube, kind, name, authorities, add=add, dry_run=dry_run)
    return _inject_once(kube, kind, name, authorities, add=add, dry_run=dry_run)


def _inject_once(
    kube: Kube,
    kind: Resource,
    name: str,
    authorities: Sequence[Certificate],
    *,
    add: bool,
    dry_run: bool,
) -> list[Change]:
    """Write one configuration; nothing where it is not there. Raises KubeError."""
    try:
        document = kube.get(kind, name)
    except NotFound:
        return []
    changes = list(_changes(document, f"{kind.name}/{name}", authorities, add=add))
    if any(one.changed for one in changes) and not dry_run:
        bundles = tuple(one.after for one in changes)
        kube.replace(kind, with_bundles(document, bundles, _every_entry))
    return changes


def _every_entry(_: Document) -> bool:
    return True


def _changes(
    document: Document, configuration: str, authorities: Sequence[Certificate], *, add: bool
) -> Iterator[Change]:
    now = datetime.now(UTC)
    for entry in entries_of(document):
        before = bundle_of(entry)
        after = merged(before if add else (), authorities, now=now)
        same = set(fingerprints(before)) == set(fingerprints(after))
        yield Change(
            configuration=configuration,
            entry=str(entry.get("name")),
            before=before,
            after=before if same else after,
        )


def _data(change: Change, *, dry_run: bool) -> dict[str, Any]:
    return {
        "configuration": change.configuration,
        "entry": change.entry,
        "changed": change.changed,
        "written": change.changed and not dry_run,
        "before": _listed(change.before),
        "after": _listed(change.after),
    }


def _listed(bundle: Sequence[Certificate]) -> list[dict[str, str]]:
    return [{"subject": one.subject, "fingerprint": one.fingerprint} for one in bundle]


def _print(out: Console, changes: Sequence[Change], *, dry_run: bool) -> None:
    table = new_table("ENTRY", "WOULD TRUST" if dry_run else "TRUSTS", "CHANGE")
    for one in changes:
        gone = [f"-{name}" for name in _names(one.before, one.after)]
        come = [f"+{name}" for name in _names(one.after, one.before)]
        trusts = ", ".join(c.subject for c in one.after)
        table.add_row(one.entry, trusts, ", ".join((*gone, *come)) or "none")
    out.print(table)


def _names(of: Sequence[Certificate], without: Sequence[Certificate]) -> list[str]:
    return [f"{one.subject} ({one.fingerprint[:8]})" for one in of if one not in without]
