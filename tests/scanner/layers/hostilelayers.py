"""Layers that somebody made to hurt, as streams, so that they cost nothing before they are read.

Run as a program it reads each of them, and writes a line of JSON for each: the message, the
time, and the most memory that the process had so far, in MiB.
"""

import itertools
import json
import random
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.scanner.layers.tars import (
    END,
    extension,
    file,
    folder,
    hardlink,
    header,
    record,
    special,
    symlink,
    tar,
)
from webhook.scanner.errors import BadContent
from webhook.scanner.layers.reading import read_layer
from webhook.scanner.mediatypes import Compression

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MEBIBYTE = bytes(1 << 20)
MOST = (8 << 30) - 1  # what a size in octal digits can say


def gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    stream = zlib.compressobj(level=1, wbits=31)
    for chunk in chunks:
        yield stream.compress(chunk)
    yield stream.flush()


def plain(data: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([data])


def many(make: Callable[[int], bytes], count: int) -> Iterator[bytes]:
    """Give `count` blocks, a thousand in a chunk."""
    for start in range(0, count, 1000):
        yield b"".join(make(number) for number in range(start, min(start + 1000, count)))


def gzip_bomb() -> Iterator[bytes]:
    return gzipped(itertools.chain([header(b"a", size=MOST)], itertools.repeat(MEBIBYTE)))


def zstd_bomb() -> Iterator[bytes]:
    head = zstd.compress(header(b"a", size=MOST))
    return itertools.chain([head], itertools.repeat(zstd.compress(MEBIBYTE * 16)))


def zstd_window() -> Iterator[bytes]:
    """A frame that asks for 3.75 TiB of memory."""
    return iter([b"\x28\xb5\x2f\xfd\x00\xff" + bytes(1000)])


def members() -> Iterator[bytes]:
    one = zlib.compressobj(wbits=31).flush()
    return itertools.repeat(one * 1000)


def entries() -> Iterator[bytes]:
    thousand = b"".join(header(b"usr/lib/%d" % number) for number in range(1000))
    return gzipped(itertools.repeat(thousand, 1000))


def pax_of_gibibytes(flag: bytes) -> Callable[[], Iterator[bytes]]:
    start = header(b"a", flag=flag, size=MOST)
    return lambda: gzipped(itertools.chain([start], itertools.repeat(MEBIBYTE)))


def pax_records() -> Iterator[bytes]:
    # With noise, so that it is no decompression bomb.
    noise = record("b", random.Random(1).randbytes(20_000))
    one = extension(b"g", record("a", "b") * 170_000 + noise)
    return gzipped(itertools.repeat(one, 300))


def headers_of_nothing() -> Iterator[bytes]:
    return itertools.repeat(header(b"a", flag=b"g") * 1000)


def home_of_long_names() -> Iterator[bytes]:
    return many(
        lambda n: extension(b"L", b"home/jovyan/%d/" % n + b"x" * 4000) + header(b"a"), 9000
    )


def replaced_folders() -> Iterator[bytes]:
    def pair(number: int) -> bytes:
        folder_of = b"home/jovyan/%d" % (number % 900)
        return header(folder_of + b"/a") + header(folder_of)

    return gzipped(many(pair, 260_000))


def deep_names() -> Iterator[bytes]:
    return iter([extension(b"L", b"a/" * 2000 + b"a") + header(b"a")])


def big_scripts() -> Iterator[bytes]:
    """Files that take a careless expression quadratic time."""
    script = header(b"bin/a", size=65536) + (b"#!" + b" cp $HOME" * 8000)[:65536]
    return gzipped(itertools.chain(itertools.repeat(script, 2000), [header(b"/end")]))


def large_file() -> Iterator[bytes]:
    return itertools.chain([header(b"a", size=4 << 30)], itertools.repeat(MEBIBYTE, 4096))


LAYERS: dict[str, tuple[Compression, Callable[[], Iterator[bytes]], str]] = {
    "a gzip bomb": ("gzip", gzip_bomb, "is a decompression bomb"),
    "a zstd bomb": ("zstd", zstd_bomb, "is a decompression bomb"),
    "a zstd window bomb": ("zstd", zstd_window, "window of more than 32 MiB"),
    "a flood of gzip members": ("gzip", members, "more than 1000000 compressed streams"),
    "a million entries": ("gzip", entries, "more than 500000 entries"),
    "a pax header of gibibytes": ("gzip", pax_of_gibibytes(b"x"), "at most 1048576"),
    "a long name of gibibytes": ("gzip", pax_of_gibibytes(b"L"), "at most 1048576"),
    "a flood of pax records": ("gzip", pax_records, "more than 201326592 bytes"),
    "a flood of headers of nothing": ("none", headers_of_nothing, "more than 201326592 bytes"),
    "a home of long names": ("none", home_of_long_names, "16 MiB of names"),
    "folders replaced all the time": ("gzip", replaced_folders, "16 MiB of names"),
    "a deep name": ("none", deep_names, "255 folders deep"),
    "scripts that are hard to search": ("gzip", big_scripts, "its name is absolute"),
    "an absolute name": ("none", plain(tar(file("/etc/passwd"))), "its name is absolute"),
    "a name with ..": ("none", plain(tar(file("a/../../etc/passwd"))), "has .. in it"),
    "a hard link out": ("none", plain(tar(hardlink("a", "../x"))), "hard link to '../x'"),
    "passwd as a device": ("none", plain(tar(special("device", "etc/passwd"))), "is a device"),
    "passwd of gibibytes": (
        "none",
        plain(header(b"etc/passwd", size=MOST)),
        "8589934591 bytes",
    ),
    "a layer cut off": ("none", plain(tar(file("a", b"x" * 5000))[:2000]), "is cut off"),
    # What is strange but harmless: the negative control.
    "links and devices": (
        "none",
        plain(tar(folder("dev"), special("device", "dev/sda"), symlink("a", "../../etc/shadow"))),
        "",
    ),
    "four gibibytes of an honest file": ("none", large_file, ""),
    "zeros behind the end": ("gzip", lambda: gzipped(itertools.repeat(END, 5000)), ""),
}


def refusal(name: str) -> str:
    """Read one of them; the message, or nothing."""
    compression, make, _ = LAYERS[name]
    try:
        read_layer(make(), compression, "layer x")
    except BadContent as error:
        return str(error)
    return ""


def peak() -> int:
    """Tell the most memory that this process had, in MiB; getrusage would tell of its parent's before exec, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


def main() -> None:
    for name in LAYERS:
        started = time.perf_counter()
        message = refusal(name)
        seconds = time.perf_counter() - started
        found = {"name": name, "message": message, "seconds": seconds, "peak": peak()}
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
