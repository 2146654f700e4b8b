"""One layer that grows, of 10 MB to 2 GB: the most memory that its scan takes, and how fast it is read."""

import json
import random
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.child import CouldNotMeasure, measure
from bench.registry import Registry
from bench.row import Aim, Row
from bench.scans import BARE, INSIDE

_MB = 1_000_000
_SIZES = {"10 MB": 10, "100 MB": 100, "1 GB": 1000, "2 GB": 2000}
_SMALLEST = "10 MB"
_FLAT = Aim(of="ratio", side="under", limit=1.1)

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG_TEXT = (
    b'{"architecture":"amd64","os":"linux","config":{"User":"1000"},"rootfs":{"type":"layers"}}'
)
_PASSWD = b"root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What the scans and the bare reads of one size took, round for round: MiB at most, and seconds."""

    size: int
    scanned: list[Mapping[str, float]] = field(default_factory=list)
    read: list[Mapping[str, float]] = field(default_factory=list)

    def speeds(self, found: list[Mapping[str, float]]) -> list[float]:
        """Give MB a second."""
        return [self.size / _MB / each["seconds"] for each in found]


def growing_rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Scan an image of one layer, of each size in turn; each is removed before the next one comes."""
    costs = {}
    for name, size in _SIZES.items():
        with tempfile.TemporaryDirectory(dir=folder) as home:
            costs[name] = _measured(Path(home), size, rounds)
    smallest = [each["most"] for each in costs[_SMALLEST].scanned]
    for name, cost in costs.items():
        yield Row(
            group="Memory of a scan that reads one layer, at most",
            figure=name,
            unit="MiB",
            samples=[each["most"] for each in cost.scanned],
            floor=f"the layer of {_SMALLEST}",
            floor_samples=smallest,
            aim=_FLAT,
        )
    for name, cost in costs.items():
        yield Row(
            group="Speed of a scan that reads one layer, everything imported",
            figure=name,
            unit="MB/s",
            samples=cost.speeds(cost.scanned),
            floor=BARE,
            floor_samples=cost.speeds(cost.read),
        )


def _measured(folder: Path, size: int, rounds: int) -> _Cost:
    with Registry(folder / "registry") as registry:
        config = registry.upload("growing", [_CONFIG_TEXT], _CONFIG)
        layer = registry.upload("growing", _layer(size), _LAYER)
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": [layer]}
        registry.tag("growing", "v1", json.dumps(manifest).encode(), _MANIFEST)
        url = registry.blob_url("growing", layer["digest"])
        cost = _Cost(size=layer["size"])
        for number in range(rounds):
            home = str(folder / f"home-{number}")
            cost.read.append(measure(INSIDE, "read", home, url))
            registry.take()
            cost.scanned.append(measure(INSIDE, "scan", home, f"{registry.host}/growing:v1"))
            if sum(fetch.size for fetch in registry.take()) < layer["size"]:
                raise CouldNotMeasure("the layer that grows was not read")
    return cost


def _layer(size: int) -> Iterator[bytes]:
    """Give a layer of files of a megabyte each, which do not shrink, and the users last."""
    # As every compressor does with such bytes, they are stored, so that making 2 GB takes seconds.
    packer = zlib.compressobj(level=0, wbits=zlib.MAX_WBITS | 16)
    content = random.Random(0).randbytes(_MB)  # the same in each: zlib looks back 32 KiB
    for number in range(size):
        yield packer.compress(_entry(f"opt/data/{number:06}", content))
    yield packer.compress(_entry("etc/passwd", _PASSWD) + bytes(2 * tarfile.BLOCKSIZE))
    yield packer.flush()


def _entry(name: str, content: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    return header.tobuf() + content + bytes(-len(content) % tarfile.BLOCKSIZE)
