"""The layout that podman is given: the image's config and layers, in a manifest of ours; and when there is none."""

from __future__ import annotations

import gzip
import os
import resource
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.scanner.layers.tars import END, extension, header, record
from tests.scanner.memory import (
    Json,
    MemorySource,
    as_json,
    descriptor_of,
    digest_of,
    image_of,
    manifest_of,
    source_of,
)
from tests.scanner.sources.tars import tar_of
from webhook.scanner.errors import BadContent, ProbeError, Unreachable
from webhook.scanner.mediatypes import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
)
from webhook.scanner.probes.freshlayout import write_layout
from webhook.scanner.probes.room import Room
from webhook.scanner.progress import Silent
from webhook.scanner.resolving import load_image

PLAIN = tar_of({"a": b"1" * 1000})
PACKED = gzip.compress(tar_of({"b": b"2"}))
NAME = "localhost/own:1"


def write(source: MemorySource, folder: Path, name: str = NAME, spare: int = 0) -> Path:
    (image,) = load_image(source, ("linux/amd64",)).platforms
    source.fetched.clear()
    room = Room(folder=folder, storage=folder, spare=spare)
    write_layout(source, image, folder / name.rpartition(":")[2], name, room, Silent())
    return folder / name.rpartition(":")[2]


def blob(layout: Path, described: Json) -> bytes:
    """Give the bytes of a blob, which are what the descriptor says."""
    name: str = described["digest"]
    data = (layout / "blobs/sha256" / name.removeprefix("sha256:")).read_bytes()
    assert (digest_of(data), len(data)) == (described["digest"], described["size"])
    return data


def manifest(layout: Path) -> Any:
    [listed] = orjson.loads((layout / "index.json").read_bytes())["manifests"]
    assert listed["mediaType"] == OCI_MANIFEST
    assert listed["annotations"] == {"org.opencontainers.image.ref.name": NAME}
    return orjson.loads(blob(layout, listed))


def of_docker(*layers: bytes) -> MemorySource:
    """Make an image as Docker writes it."""
    config = orjson.dumps({"os": "linux", "architecture": "amd64", "config": {"Cmd": ["a"]}})
    kinds = (DOCKER_LAYER, f"{DOCKER_LAYER}.gzip")
    described = [descriptor_of(data, kind) for data, kind in zip(layers, kinds, strict=True)]
    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": as_json(descriptor_of(config, DOCKER_CONFIG)),
        "layers": [as_json(layer) for layer in described],
    }
    return source_of(
        document, DOCKER_MANIFEST, {digest_of(data): data for data in (config, *layers)}
    )


@pytest.mark.parametrize(
    "source", [image_of({"Cmd": ["a"]}, PLAIN, PACKED), of_docker(PLAIN, PACKED)]
)
def test_it_holds_the_config_and_the_layers_by_types_of_oci(
    source: MemorySource, tmp_path: Path
) -> None:
    layout = write(source, tmp_path)
    found = manifest(layout)
    assert found.keys() == {"schemaVersion", "mediaType", "config", "layers"}
    assert found["config"]["mediaType"] == OCI_CONFIG
    assert orjson.loads(blob(layout, found["config"]))["config"] == {"Cmd": ["a"]}
    assert [each["mediaType"] for each in found["layers"]] == [OCI_LAYER, f"{OCI_LAYER}+gzip"]
    assert [blob(layout, each) for each in found["layers"]] == [PLAIN, PACKED]
    assert {path.stat().st_mode & 0o777 for path in layout.rglob("*") if path.is_file()} == {0o600}


def test_nothing_else_that_stands_in_the_manifest_is_in_it(tmp_path: Path) -> None:
    config = orjson.dumps({"os": "linux", "architecture": "amd64", "config": {"Cmd": ["a"]}})
    layers = [as_json(descriptor_of(PLAIN, OCI_LAYER), annotations={"evil": "3"}, urls=["evil:"])]
    more: Json = {"annotations": {"evil": "1"}, "layers": layers, "evil": "2"}
    layout = write(manifest_of(config, PLAIN, **more), tmp_path)
    assert "evil" not in orjson.dumps(manifest(layout)).decode()


def test_the_config_says_the_same_by_a_digest_that_only_this_name_gives(tmp_path: Path) -> None:
    source = image_of({"Cmd": ["a"]}, PLAIN)
    config = orjson.loads(source.store[source.descriptor.digest])["config"]
    written = [manifest(write(source, tmp_path))["config"]]
    other = write(source, tmp_path, "localhost/own:2")
    [listed] = orjson.loads((other / "index.json").read_bytes())["manifests"]
    written.append(orjson.loads(blob(other, listed))["config"])
    assert len({config["digest"], *(each["digest"] for each in written)}) == 3
    assert blob(other, written[1]).rstrip() == source.store[config["digest"]]


def test_a_layer_that_an_image_has_twice_is_fetched_once(tmp_path: Path) -> None:
    source = image_of({"Cmd": ["a"]}, PLAIN, PACKED, PLAIN)
    found = manifest(write(source, tmp_path))
    assert [each["digest"] for each in found["layers"]] == [
        digest_of(data) for data in (PLAIN, PACKED, PLAIN)
    ]
    assert source.fetched.count(digest_of(PLAIN)) == 1


def test_what_breaks_off_is_the_sources_own_error(tmp_path: Path) -> None:
    source = image_of({"Cmd": ["a"]}, PLAIN)
    source.failures[digest_of(PLAIN)] = Unreachable("it broke off")
    with pytest.raises(Unreachable, match="it broke off"):
        write(source, tmp_path)


@pytest.mark.parametrize(
    ("diff_ids", "said"),
    [
        ([digest_of(b"other")], f"unpacks to {digest_of(PLAIN)}, and the config"),
        ([digest_of(PLAIN)] * 2, "has 1 layers, and its config 2"),
    ],
)
def test_a_layer_that_is_not_the_configs_is_refused(
    tmp_path: Path, diff_ids: list[str], said: str
) -> None:
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    config = {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs}
    with pytest.raises(BadContent, match=said):
        write(manifest_of(orjson.dumps(config), PLAIN), tmp_path)


def test_nothing_is_fetched_where_it_would_not_fit_as_stored(tmp_path: Path) -> None:
    source = image_of({"Cmd": ["a"]}, PLAIN)
    with pytest.raises(ProbeError, match="set TMPDIR to a larger disk"):
        write(source, tmp_path, spare=1 << 60)
    assert digest_of(PLAIN) not in source.fetched


def free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def test_what_would_not_fit_unpacked_is_refused_though_it_is_small_in_its_tar(
    tmp_path: Path,
) -> None:
    hole = free(tmp_path) + (1 << 34)
    pax = [("GNU.sparse.major", "0"), ("GNU.sparse.minor", "1"), ("GNU.sparse.name", "hole")]
    pax += [("GNU.sparse.size", str(hole)), ("GNU.sparse.numblocks", "1")]
    pax += [("GNU.sparse.map", f"{hole},0")]
    sparse = extension(b"x", b"".join(record(key, value) for key, value in pax))
    layer = sparse + header(b"hole", size=0) + END
    assert len(layer) < 10_000
    with pytest.raises(ProbeError, match=f"takes {hole >> 20} MiB"):
        write(image_of({"Cmd": ["a"]}, layer), tmp_path)
    (tmp_path / "control").mkdir()
    assert manifest(write(image_of({"Cmd": ["a"]}, PLAIN), tmp_path / "control"))


def test_a_disk_that_is_full_is_told_with_the_cure(tmp_path: Path) -> None:
    source = image_of({"Cmd": ["a"]}, tar_of({"large": os.urandom(1 << 20)}))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The error of a file that may not grow comes at the same place as that of a disk without room.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, before[1]))
    try:
        with pytest.raises(ProbeError, match=r"cannot be written to .*; free space there, or set"):
            write(source, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_each_disk_is_asked_for_what_it_is_to_hold(tmp_path: Path) -> None:
    memory, more = Path("/dev/shm"), 1 << 34
    assert memory.stat().st_dev != tmp_path.stat().st_dev
    apart = Room(folder=tmp_path, storage=memory, spare=0)
    apart.check(stored=0, unpacked=0)
    with pytest.raises(ProbeError, match=rf"disk of {memory} has .*graphroot"):
        apart.check(stored=0, unpacked=free(memory) + more)
    with pytest.raises(ProbeError, match=rf"disk of {tmp_path} has .*set TMPDIR"):
        apart.check(stored=free(tmp_path) + more, unpacked=0)
    with pytest.raises(ProbeError, match="to spare"):
        Room(folder=tmp_path, storage=memory).check(stored=free(tmp_path), unpacked=0)
    together = Room(folder=tmp_path, storage=tmp_path, spare=0)
    half = free(tmp_path) // 2 + more
    together.check(stored=half - 2 * more, unpacked=0)
    with pytest.raises(ProbeError, match="set TMPDIR"):
        together.check(stored=half, unpacked=half)
    with pytest.raises(ProbeError, match=r"/nowhere.* cannot be told"):
        Room(folder=tmp_path, storage=Path("/nowhere")).check(stored=0, unpacked=0)
