"""A process of which time or memory is measured has its coverage not measured: that takes three times as long."""

from __future__ import annotations

import os


def unmeasured() -> dict[str, str]:
    """Give the environment for one."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
