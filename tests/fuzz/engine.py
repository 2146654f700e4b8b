"""A long run of one target by atheris, libFuzzer for Python: what reaches a branch for the first time is kept.

It is for long runs only, so it is no locked dependency: who wants one installs it beside the others.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

from tests.fuzz.corpus import FOLDER
from tests.fuzz.target import LONGEST, SECONDS, Target

MISSING = "atheris is missing: `make fuzz TARGET=… SECONDS=…` installs it, on Linux with CPython 3.11 to 3.13"
# Far beyond what any input of LONGEST bytes needs; what goes there has no bound.
_MEGABYTES = 2048


def load_atheris() -> Any:
    """Import it. Raises ImportError with what to type."""
    try:
        return importlib.import_module("atheris")
    except ImportError as error:
        raise ImportError(MISSING) from error


def instrumented(atheris: Any) -> dict[str, Target]:
    """Import all targets so that the branches of webhook and certs are counted; before anything else imports those."""
    with atheris.instrument_imports(include=["webhook", "certs"]):
        return dict(importlib.import_module("tests.fuzz.targets").TARGETS)


def run(atheris: Any, target: Target, work: Path, seconds: int) -> None:
    """Run a target; what it finds stands in `work`: inputs of interest in `found`, failing ones beside it.

    Ends the process: with status 0 when the time is over, with another and a traceback at a finding.
    """
    found, seeds = work / "found", work / "seeds"
    for folder in (found, seeds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds()):
        (seeds / f"{number}").write_bytes(data)
    kept = FOLDER / target.name
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={SECONDS * 2:.0f}",
        f"-rss_limit_mb={_MEGABYTES}",
        f"-dict={_dictionary(target, work)}",
        f"-artifact_prefix={work}/",
        "-print_final_stats=1",
    ]
    folders = [str(folder) for folder in (found, seeds, kept) if folder.is_dir()]
    atheris.Setup([sys.argv[0], *options, *folders], target.check)
    atheris.Fuzz()


def _dictionary(target: Target, work: Path) -> Path:
    """Write a target's words as libFuzzer reads them."""
    path = work / "words"
    lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words if len(word) < 60)
    path.write_text("".join(f'"{line}"\n' for line in lines))
    return path
