"""`nbgate certs rotate --dir`: the CA of a folder, changed over in three runs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from certs.certificate import Certificate
from certs.errors import BusyDirectoryError, CertificateError, UnwritableFileError
from certs.handrotation import Announced, ChangedOver, Finished, Outcome, rotate
from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.output import Format, emit


def rotate_directory(directory: Path, output: Format) -> None:
    """Do the next run, and say what to do before the one after it. Raises BadInput or CouldNot."""
    try:
        outcome = rotate(directory, now=datetime.now(UTC))
    except (UnwritableFileError, BusyDirectoryError) as error:
        raise CouldNot(str(error)) from error
    except CertificateError as error:
        raise BadInput(str(error)) from error
    data = {
        "done": type(outcome).__name__,
        "directory": str(directory),
        "authorities": [certificate_data(one) for one in outcome.authorities],
        "certificate": certificate_data(outcome.leaf),
    }
    emit(data, output, lambda out: out.print(_told(outcome, directory)))


def _told(outcome: Outcome, directory: Path) -> str:
    bundle = f"nbgate certs show --ca-bundle {directory}"
    match outcome:
        case Announced():
            return (
                "Issued the next CA; ca.crt holds both, and what is served is as before\n"
                f"  give ca.crt to every client ({bundle}), then run this again to change over"
            )
        case ChangedOver():
            return (
                f"Changed over: tls.crt is of the new CA, until {outcome.leaf.not_after:%Y-%m-%d}\n"
                "  when every server serves it, run this again to drop the CA before"
            )
        case Finished():
            return (
                f"Dropped the CA before; ca.crt holds one\n  give ca.crt to every client ({bundle})"
            )


def certificate_data(one: Certificate | None) -> dict[str, Any] | None:
    """Tell of a certificate what identifies it, and its end."""
    if one is None:
        return None
    return {
        "subject": one.subject,
        "fingerprint": one.fingerprint,
        "notAfter": moment(one.not_after),
    }


def moment(at: datetime) -> str:
    """Write a moment in UTC as RFC 3339."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
