"""What podman is given of an archive: the parts that the scan read, whatever other readers would take for them."""

import json
import tarfile
from pathlib import Path

import pytest

from tests.scanner.layers.tars import END, extension, header, padded, record
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.archivecopy import copy_archive

LISTED = [{"Config": "c.json", "RepoTags": ["mine:1"], "Layers": ["l.tar", "m.tar", "l.tar"]}]


def member(name: str, data: bytes, **fields: bytes) -> bytes:
    return header(name.encode(), size=len(data), **fields) + padded(data)


# Sun's pax headers, which Python's tarfile heeds, and Go and the scan do not.
TRICKS = [
    extension(b"X", record("path", name)) + member("other", b"evil") for name in ("c.json", "l.tar")
]


@pytest.mark.parametrize("trick", [b"", *TRICKS])
def test_the_copy_holds_what_the_scan_read(trick: bytes, tmp_path: Path) -> None:
    parts = {"c.json": b"config", "l.tar": b"layer", "m.tar": b"more"}
    parts["manifest.json"] = json.dumps(LISTED).encode()
    written = trick + b"".join(member(name, data) for name, data in parts.items()) + END
    (tmp_path / "in.tar").write_bytes(written)
    copy_archive(tmp_path / "in.tar", "", tmp_path / "out.tar", "localhost/own:1")
    with tarfile.open(tmp_path / "out.tar") as copy:
        found = {}
        for info in copy:
            assert info.name not in found
            data = copy.extractfile(info)
            found[info.name] = data.read() if data else b""
    [image] = json.loads(found.pop("manifest.json"))
    assert image["RepoTags"] == ["localhost/own:1"]
    assert found.pop(image["Config"]) == b"config"
    assert [found[layer] for layer in image["Layers"]] == [b"layer", b"more", b"layer"]
    assert len(found) == 2


def test_a_part_that_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "in.tar").write_bytes(member("manifest.json", json.dumps(LISTED).encode()) + END)
    with pytest.raises(ProbeError, match=r"cannot be given this archive: .*has no"):
        copy_archive(tmp_path / "in.tar", "", tmp_path / "out.tar", "localhost/own:1")
