"""What `nbgate scan` loads: a static scan takes little longer than its imports."""

import subprocess
import sys
from pathlib import Path

import pytest

_SCAN = """
import sys
from webhook.cli.exits import CommandError
from webhook.cli.main import nbgate
try:
    nbgate(["scan", *sys.argv[1:]], standalone_mode=False)
except CommandError:
    pass
print(*(name for name in sys.modules if name.startswith(("kubernetes", "webhook."))))
"""
_CLUSTER = ("kubernetes", "webhook.kube", "webhook.kubeerrors", "webhook.scanner.saving")
_PROBES = ("webhook.scanner.probes.cluster", "webhook.scanner.probes.podman")


def _loaded(folder: Path, *arguments: str) -> set[str]:
    """Scan a layout that is not there, and return what was loaded for it."""
    command = [sys.executable, "-c", _SCAN, *arguments, f"oci:{folder / 'none'}"]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/nonexistent", "NBGATE_HOME": str(folder), "KUBECONFIG": "/nonexistent"},
    )
    return set(run.stdout.split())


def test_a_static_scan_that_keeps_nothing_loads_neither_probes_nor_what_speaks_to_clusters(
    tmp_path: Path,
) -> None:
    loaded = _loaded(tmp_path, "--probe", "none")
    assert "webhook.scanner.scanning" in loaded
    assert not loaded & {*_CLUSTER, *_PROBES, "webhook.core.policy"}


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (("--probe", "podman"), "webhook.scanner.probes.podman"),
        (("--probe", "cluster"), "webhook.kube"),
        (("--probe", "none", "--save", "cluster"), "webhook.scanner.saving"),
    ],
)
def test_what_is_asked_for_is_loaded(
    tmp_path: Path, arguments: tuple[str, ...], module: str
) -> None:
    assert module in _loaded(tmp_path, *arguments)
