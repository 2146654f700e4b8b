"""What the figures depend on: the machine, and the versions of what is measured and of what measures."""

import os
import platform
import re
import shutil
import ssl
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import webhook
from bench import gofloor
from bench.commands import COPIER
from bench.load import generator

_SECONDS = 20


def facts() -> dict[str, Any]:
    """Give them all. The load average tells whether the machine had other work."""
    return {
        "processor": _model(),
        "processors": len(os.sched_getaffinity(0)),
        "memoryMiB": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "kernel": platform.release(),
        "nbgate": webhook.__version__,
        "python": platform.python_version(),
        "gunicorn": version("gunicorn"),
        "orjson": version("orjson"),
        "openssl": ssl.OPENSSL_VERSION.split()[1],
        "go": gofloor.version(),
        COPIER: _version(COPIER),
        "load": f"{generator()} {_version('wrk')}" if generator() == "wrk" else generator(),
        "loadAverage": os.getloadavg()[0],
    }


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(program: str) -> str:
    """Find a version in what a program tells of itself; wrk does so with an error."""
    if shutil.which(program) is None:
        return "none"
    done = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    found = re.search(r"\d+\.\d+[\w.]*", f"{done.stdout}{done.stderr}")
    return found[0] if found else "unknown"
