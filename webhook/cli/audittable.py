"""Audit records and their summary as tables for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from webhook.cli.output import new_table
from webhook.core.words import cut
from webhook.stores.auditlog import Entry
from webhook.stores.auditsummary import ReasonSummary

_NAME_LIMIT = 63  # of a namespace and a notebook that Kubernetes takes (RFC 1123 labels)
_USER_LIMIT = 60
_IMAGE_LIMIT = 100
_REASONS_LIMIT = 120
_DIGEST_SHOWN = len("@sha256:") + 12  # as `podman images` shortens an id
_STYLES = {"denied": "red", "warned": "yellow", "allowed": "green"}


def print_entries(out: Console, entries: Sequence[Entry]) -> None:
    """Draw one line per record."""
    table = new_table(
        "TIME", "NAMESPACE", "NOTEBOOK", "USER", "IMAGE", "DECISION", "REASONS", "COUNT"
    )
    for entry in entries:
        table.add_row(
            _cell(str(entry.record.get("time")), _NAME_LIMIT),
            _cell(entry.namespace, _NAME_LIMIT),
            _cell(entry.notebook, _NAME_LIMIT),
            _cell(entry.user, _USER_LIMIT),
            _cell(_image(entry.image), _IMAGE_LIMIT),
            Text(_decision(entry), style=_STYLES[entry.decision]),
            _cell(_reasons(entry), _REASONS_LIMIT),
            str(entry.count),
        )
    out.print(table)


def print_summary(out: Console, summaries: Sequence[ReasonSummary]) -> None:
    """Draw one line per reason."""
    table = new_table("REASON", "ACTION", "COUNT", "NOTEBOOKS", "IMAGES", "FIRST", "LAST")
    for one in summaries:
        table.add_row(
            _cell(one.requirement, _NAME_LIMIT),
            _cell(one.action, _NAME_LIMIT),
            str(one.count),
            str(one.notebooks),
            str(one.images),
            one.first,
            one.last,
        )
    out.print(table)


def _cell(text: str, limit: int) -> Text:
    """Cut a text; as a `Text`, for rich would read the brackets that users write as markup."""
    return Text(cut(text, limit) or "-")


def _image(image: str) -> str:
    name, at, digest = image.partition("@")
    return name + (at + digest)[:_DIGEST_SHOWN]


def _decision(entry: Entry) -> str:
    return f"{entry.decision} (dry run)" if entry.dry_run else entry.decision


def _reasons(entry: Entry) -> str:
    ids = dict.fromkeys(reason.requirement for reason in entry.reasons)
    return ", ".join([*ids, *(f"exemption {name}" for name in entry.exemptions)])
