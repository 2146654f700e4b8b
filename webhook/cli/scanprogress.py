"""What a person sees while images are scanned, on standard error: bars on a terminal, elsewhere a line for each."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from webhook.cli.saying import say
from webhook.core.words import clean, cut_front
from webhook.scanner import progress

# Of 80 columns: 32 for the name, 12 for the bar, 15 for bytes ("123.4/1234.5 MB"), 5 for the time.
_NAME_WIDTH = 32
_BAR_WIDTH = 12


class Lines:
    """For logs: one line for each image that begins, so that it is seen which one takes its time."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = 0
        self._lock = Lock()

    @contextmanager
    def watch(self, name: str) -> Iterator[progress.Progress]:
        """Say that an image begins."""
        with self._lock:
            self._begun += 1
            which = f" ({self._begun} of {self._total})" if self._total > 1 else ""
            self.say(f"scanning {name}{which}")
        yield progress.Silent()

    def say(self, line: str) -> None:
        """Write a line."""
        say(line)


class Bars:
    """For a terminal: a bar for each image that is being scanned, gone when it ends."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown

    @contextmanager
    def watch(self, name: str) -> Iterator[progress.Progress]:
        """Show an image's bar."""
        task = self._shown.add_task(cut_front(name, _NAME_WIDTH), total=None, stage="resolving")
        try:
            yield _Bar(self._shown, task)
        finally:
            self._shown.remove_task(task)

    def say(self, line: str) -> None:
        """Write a line above the bars."""
        self._shown.console.print(Text(f"nbgate: {line}"), soft_wrap=True)

    def drawn(self) -> RenderableType:
        """Give the bars as they stand."""
        return self._shown.get_renderable()


class _Elapsed(ProgressColumn):
    """Seconds since the image began: rich's own column stops when all bytes are there, and starting comes after."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.elapsed or 0:.0f} s", justify="right")


class _Bar:
    """One image's bar."""

    def __init__(self, shown: Progress, task: TaskID) -> None:
        self._shown = shown
        self._task = task
        self._expected = 0

    def stage(self, text: str) -> None:
        self._shown.update(self._task, stage=clean(text))

    def expect(self, size: int) -> None:
        self._expected += size
        self._shown.update(self._task, total=max(self._expected, 0) or None)

    def advance(self, size: int) -> None:
        self._shown.advance(self._task, size)


@contextmanager
def watching(total: int) -> Iterator[Lines | Bars]:
    """Choose by what standard error is, and clear the bars away at the end."""
    console = Console(stderr=True)
    if not _moves(console):
        yield Lines(total)
        return
    with bars_on(console) as shown:
        yield Bars(shown)


def _moves(console: Console) -> bool:
    # Not rich's word for a terminal: FORCE_COLOR, which CI sets, would put moving bars into a log.
    return sys.stderr is not None and sys.stderr.isatty() and not console.is_dumb_terminal


def bars_on(console: Console, *, auto_refresh: bool = True) -> Progress:
    """Lay the bars out: name, bar, bytes, and what is being done now."""
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=_BAR_WIDTH),
        DownloadColumn(table_column=Column(no_wrap=True)),
        _Elapsed(table_column=Column(no_wrap=True, justify="right")),
        TextColumn(
            "{task.fields[stage]}",
            markup=False,
            style="dim",
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        expand=True,
        console=console,
        transient=True,
        auto_refresh=auto_refresh,
    )
