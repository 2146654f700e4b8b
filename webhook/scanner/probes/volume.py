"""The empty volume that is mounted at /home/jovyan."""

import os
from pathlib import Path

from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.warded import Warded

# What a kubelet makes of a volume with fsGroup 100: that group, setgid, and writable for it (kubernetes,
# pkg/volume/volume_linux.go). A folder of ours: into volumes of its own podman copies what the image has there.
_GROUP = 100
_MODE = 0o2775
_TIME = 30.0


def make_volume(warded: Warded, name: str) -> Path:
    """Make an empty folder in the probe's own, as a kubelet would hand it to the container. Raises ProbeError."""
    volume = warded.folder / name
    try:
        volume.mkdir()
        if warded.rootless:
            warded.must("unshare", "unshare", "chown", f"0:{_GROUP}", str(volume), timeout=_TIME)
            warded.must("unshare", "unshare", "chmod", f"{_MODE:o}", str(volume), timeout=_TIME)
        else:
            os.chown(volume, 0, _GROUP)
            volume.chmod(_MODE)
    except OSError as error:
        raise ProbeError(
            f"podman: {volume} cannot be made a volume: {error}; set TMPDIR"
        ) from error
    return volume
