"""The machine's own way to its Python package index, as secrets of a build: never a part of an image."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

# What says where packages come from. Others, such as a folder of wheels, mean something on this machine only.
_PASSED_ON = (
    "index-url",
    "extra-index-url",
    "trusted-host",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
)
_AUTHORITIES = "authorities.pem"


def write_secrets(folder: Path) -> None:
    """Write `pip.conf`, and `authorities.pem` if this machine has such a file; builds find them in /run/secrets."""
    folder.mkdir(mode=0o700)
    settings = _settings()
    kept = {name: settings[name] for name in _PASSED_ON if name in settings}
    authorities = _authorities(settings)
    if authorities:
        (folder / _AUTHORITIES).write_bytes(authorities.read_bytes())
        kept["cert"] = f"/run/secrets/{_AUTHORITIES}"
    lines = [f"{name} = {value}".replace("\n", "\n    ") for name, value in kept.items()]
    (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))


def _settings() -> dict[str, str]:
    """Ask pip what its files and variables say, in the order in which the later ones win (pip, Configuration)."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    pairs = [line.partition("=") for line in listed.stdout.splitlines()]
    ranks = {"global": 0, "install": 1, ":env:": 2}
    found = sorted((ranks.get(name.partition(".")[0], -1), name, text) for name, _, text in pairs)
    return {
        name.partition(".")[2]: str(ast.literal_eval(text))
        for rank, name, text in found
        if rank >= 0
    }


def _authorities(settings: dict[str, str]) -> Path | None:
    """Find the file of certificate authorities that this machine trusts."""
    chosen = (
        settings.get("cert"),
        os.environ.get("SSL_CERT_FILE"),
        "/etc/ssl/certs/ca-certificates.crt",
    )
    return next((Path(each) for each in chosen if each and Path(each).is_file()), None)
