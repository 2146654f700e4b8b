r"""Tars for mutation: written line by line, or any bytes whose headers get the checksums that no mutation would find.

A line is a type, a name and, behind a blank, what belongs to it: `0 etc/passwd jovyan:x:1000:…` a file with its
content, `2 etc/link target` a link, `5 home/jovyan` a folder, `x path some/where` a pax record for the next entry,
`L some/where` a long name. `\n` stands for a newline in what belongs to it.
"""

import re

from tests.scanner.layers.tars import END, extension, header, padded, record, signed

_BLOCK = 512
_SIZE = re.compile(rb"[0-7]{1,11}")
_MOST_HEADERS = 64


def tar_of_lines(text: bytes) -> bytes:
    """Write a tar."""
    return b"".join(_entry(line) for line in text.split(b"\n") if line) + END


def _entry(line: bytes) -> bytes:
    flag, rest = line[:1], line[2:]
    name, _, value = rest.partition(b" ")
    value = value.replace(rb"\n", b"\n")
    if flag in (b"x", b"g"):
        return extension(flag, record(name.decode("latin-1"), value))
    if flag in (b"L", b"K"):
        return extension(flag, rest + b"\0")
    if flag in (b"1", b"2"):
        return header(name[:100], flag=flag, link=value[:100])
    if flag in (b"3", b"4", b"5", b"6"):
        return header(name[:100], flag=flag)
    return header(name[:100], size=len(value), flag=flag) + padded(value)


def with_checksums(data: bytes) -> bytes:
    """Correct the checksum of each block that a reader would take for a header, the first ones."""
    found, place = bytearray(data), 0
    for _ in range(_MOST_HEADERS):
        block = bytes(found[place : place + _BLOCK])
        if len(block) < _BLOCK:
            break
        if any(block):
            found[place : place + _BLOCK] = signed(block)
        size = _SIZE.match(block, 124, 136)
        body = int(size[0], 8) if size else 0
        place += _BLOCK + -(-body // _BLOCK) * _BLOCK
    return bytes(found)
