"""What holds for every run of the tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_configure() -> None:
    """Heed signals, which a run in the background or under nohup is told to ignore, and its children with it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what runs apart: what uses the one thing of its kind that a machine has, and what is run under coverage."""
    if item.path.is_relative_to(_HERE / "scanner") or item.path.is_relative_to(_HERE / "images"):
        item.add_marker("containers")
    if item.path.is_relative_to(_HERE / "core") or item.path.is_relative_to(_HERE / "certs"):
        item.add_marker("own")
    if "node_cluster" in getattr(item, "fixturenames", ()):
        item.add_marker("node")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Skip nothing in CI: a test that could not run there has shown nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(
            "in CI every test must run: those that were skipped fail the run", red=True
        )
