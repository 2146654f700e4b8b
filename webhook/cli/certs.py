"""`nbgate certs`: issue, show, rotate and inject certificates."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from certs.certificate import Certificate, describe
from certs.checks import faults
from certs.errors import BusyDirectoryError, CertificateError, UnwritableFileError
from certs.files import read, read_if_there
from certs.layout import AUTHORITY_CERTIFICATE, CLIENT_AUTHORITIES, LEAF_CERTIFICATE, LEAF_KEY
from certs.lifetime import AUTHORITY_LIFETIME, LEAF_LIFETIME
from certs.selfsigned import ensure
from webhook.cli import certsinject, certsrotate
from webhook.cli.exits import DENIED, OK, BadInput, CouldNot
from webhook.cli.home import home
from webhook.cli.output import Format, emit, new_table, output_option

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_DAY = timedelta(days=1)
_CERTIFICATES = (LEAF_CERTIFICATE, AUTHORITY_CERTIFICATE, CLIENT_AUTHORITIES)


@click.group()
def command() -> None:
    """Issue, show, rotate and inject certificates."""


command.add_command(certsrotate.command)
command.add_command(certsinject.command)


@command.command()
@click.option(
    "--dir",
    "directory",
    envvar="NBGATE_CERTS_ISSUE_DIR",
    type=click.Path(path_type=Path),
    help="Where to write them.  [default: $NBGATE_HOME/certs]",
)
@click.option(
    "--host",
    "hosts",
    envvar="NBGATE_CERTS_ISSUE_HOST",
    multiple=True,
    help="A name or address that clients use; may stand several times. In a cluster it is "
    "SERVICE.NAMESPACE.svc.  [default: localhost, 127.0.0.1, ::1]",
)
@click.option(
    "--days",
    type=click.IntRange(1, 825),
    default=LEAF_LIFETIME // _DAY,
    show_default=True,
    help="How long the server's certificate holds.",
)
@click.option(
    "--ca-days",
    type=click.IntRange(2, 36500),
    default=AUTHORITY_LIFETIME // _DAY,
    show_default=True,
    help="How long a new CA holds.",
)
@output_option
def issue(
    directory: Path | None, hosts: tuple[str, ...], days: int, ca_days: int, output: Format
) -> None:
    """Issue a CA and a server certificate, or renew what is due; a good one that is there is kept."""
    target = directory or home().certs
    try:
        outcome = ensure(
            target,
            hosts or LOCAL_HOSTS,
            now=datetime.now(UTC),
            leaf_lifetime=timedelta(days=days),
            authority_lifetime=timedelta(days=ca_days),
        )
    except (UnwritableFileError, BusyDirectoryError) as error:
        raise CouldNot(str(error)) from error
    except CertificateError as error:
        raise BadInput(str(error)) from error
    done = type(outcome).__name__
    data: dict[str, Any] = {"done": done, "reason": outcome.reason, "directory": str(target)}
    data |= {"certificate": _data(LEAF_CERTIFICATE, outcome.leaf, ())}

    def people(out: Console) -> None:
        where = f" {directory}" if directory else ""
        out.print(f"{_DONE[done]}: {outcome.reason}")
        out.print(f"  {target / LEAF_CERTIFICATE} for {', '.join(outcome.leaf.hosts)}")
        out.print(f"  until {outcome.leaf.not_after:%Y-%m-%d}; its key is {LEAF_KEY}")
        out.print(f"  caBundle for a webhook configuration: nbgate certs show --ca-bundle{where}")

    emit(data, output, people)


_DONE = {
    "Kept": "Kept",
    "IssuedLeaf": "Issued a certificate",
    "IssuedAuthority": "Issued a CA and a certificate",
}


@command.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--ca-bundle", is_flag=True, help="Print ca.crt as base64, for caBundle, and nothing else."
)
@output_option
@click.pass_context
def show(ctx: click.Context, path: Path | None, output: Format, *, ca_bundle: bool) -> None:
    """Show the certificates of a folder or a PEM file, and what is wrong with them.

    PATH is by default $NBGATE_HOME/certs. Exits 1 when something is wrong.
    """
    target = path or home().certs
    if ca_bundle:
        click.echo(_bundle(target))
        return
    now = datetime.now(UTC)
    shown = [(name, one, _problems(target, one, now)) for name, one in _certificates(target)]
    rows = [_data(name, one, problems) for name, one, problems in shown]
    emit(rows, output, lambda out: _print(out, rows, now))
    ctx.exit(DENIED if any(problems for _, _, problems in shown) else OK)


def _bundle(target: Path) -> str:
    try:
        pem = read(target / AUTHORITY_CERTIFICATE if target.is_dir() else target)
        describe(pem, source=str(target))
    except CertificateError as error:
        raise BadInput(str(error)) from error
    return base64.b64encode(pem).decode("ascii")


def _certificates(target: Path) -> list[tuple[str, Certificate]]:
    """Read a file's certificates, or those of a folder's files, each with the file's name."""
    files = [target / name for name in _CERTIFICATES] if target.is_dir() else [target]
    found = []
    for file in files:
        try:
            pem = read_if_there(file)
            chain = describe(pem, source=str(file)) if pem is not None else ()
        except CertificateError as error:
            raise BadInput(str(error)) from error
        found += [(file.name, one) for one in chain]
    if not found:
        raise BadInput(f"{target}: holds no certificate; nbgate certs issue makes one")
    return found


def _problems(target: Path, certificate: Certificate, now: datetime) -> tuple[str, ...]:
    if certificate.is_ca:
        ended = certificate.not_after < now
        return (f"expired on {certificate.not_after:%Y-%m-%d}: issue a new one",) if ended else ()
    key = None
    if target.is_dir():
        try:
            key = read_if_there(target / LEAF_KEY)
        except CertificateError as error:
            return (str(error),)
        if key is None:
            return (f"{target / LEAF_KEY} is missing: put the certificate's key there",)
    try:
        return tuple(str(fault) for fault in faults(certificate, now=now, key_pem=key))
    except CertificateError as error:
        return (str(error),)


def _data(name: str, certificate: Certificate, problems: tuple[str, ...]) -> dict[str, Any]:
    return {
        "file": name,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "hosts": list(certificate.hosts),
        "notBefore": certificate.not_before.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "notAfter": certificate.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "serial": certificate.serial,
        "fingerprint": certificate.fingerprint,
        "isCA": certificate.is_ca,
        "keyAlgorithm": certificate.key_algorithm,
        "problems": list(problems),
    }


def _print(out: Console, rows: list[dict[str, Any]], now: datetime) -> None:
    table = new_table("FILE", "SUBJECT", "HOSTS", "UNTIL", "LEFT", "KEY", "PROBLEMS")
    for row in rows:
        until = datetime.fromisoformat(row["notAfter"])
        table.add_row(
            row["file"],
            row["subject"],
            ", ".join(row["hosts"]) or "-",
            f"{until:%Y-%m-%d}",
            f"{(until - now).days}d",
            row["keyAlgorithm"],
            "; ".join(row["problems"]) or "-",
        )
    out.print(table)
