"""What doctor found, for people: a line for each finding, and below it what to type.

    CHECK         RESULT    FINDING
    api-server    ok        Kubernetes 1.31
    service       wrong     service/nbgate: leads to no ready pod: 3 are not ready
                  type:     kubectl -n nbgate-system get pods -l app.kubernetes.io/component=webhook -o wide

A command stands on a line of its own, which is never folded, so that it can be copied.
"""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.core.words import clean
from webhook.doctor.examination import Examined
from webhook.doctor.finding import RESULTS, Finding

_STYLES = {"ok": "green", "warning": "yellow", "unknown": "yellow", "wrong": "bold red"}
_GAP = 3
_RESULT = len("warning") + _GAP


def print_examined(out: Console, examined: Sequence[Examined]) -> None:
    """Draw everything, and count at the end."""
    width = max((len(one.check.id) for one in examined), default=0) + _GAP
    _line(out, width, Text("CHECK", "bold"), Text("RESULT", "bold"), Text("FINDING", "bold"))
    for one in examined:
        for number, finding in enumerate(one.findings):
            name = Text(one.check.id if not number else "")
            _line(out, width, name, Text(finding.result, _STYLES[finding.result]), _told(finding))
            following = one.findings[number + 1 : number + 2]
            # one command for several findings stands once, below the last of them
            if finding.cure and finding.cure not in [other.cure for other in following]:
                label = "type:".ljust(_RESULT)
                out.print(
                    Text(f"{' ' * width}{label}{clean(finding.cure)}", "bold"), soft_wrap=True
                )
    out.print()
    out.print(_summary(examined))


def _line(out: Console, width: int, name: Text, result: Text, text: Text) -> None:
    row = Table.grid(padding=0)
    row.add_column(width=width)
    row.add_column(width=_RESULT)
    row.add_column(overflow="fold")
    row.add_row(name, result, text)
    out.print(row)


def _told(finding: Finding) -> Text:
    where = f"{clean(finding.where)}: " if finding.where else ""
    return Text.assemble((where, "bold"), clean(finding.what))


def _summary(examined: Sequence[Examined]) -> str:
    counts = Counter(one.result for one in examined)
    listed = ", ".join(f"{counts[word]} {word}" for word in RESULTS if counts[word])
    return f"{len(examined)} checks: {listed}"
