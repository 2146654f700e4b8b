"""The headers of tar: blocks of 512 bytes -> numbers, names, records. Pure; what is wrong raises Malformed, a clause.

Sources: POSIX.1-2017, pax, sections "ustar Interchange Format" and "pax Extended Header"; the GNU tar manual, "Basic
Tar Format" and "Storing Sparse Files"; for the signed sum old Sun tars, which added up signed characters.

Tar readers differ where archives are strange, and what a scan reads must be what a container sees. So where they differ
this one does as Go's archive/tar, with which containerd, Docker and podman unpack images, or refuses:

- A name's prefix counts only in POSIX headers, not in GNU ones, which keep times there.
- A pax value that is empty is none; a global pax header changes no entry.
- Two long names or pax headers for one entry, or one of each kind, are refused: no tool writes them, and versions of Go
  disagree. So is the name of a sparse file where its format is not told.
- Numbers are octal digits, nothing that Python's int() would take besides.
"""

from zlib import adler32

BLOCK = 512

# PATH_MAX of Linux, with which no longer name can be created (limits.h).
MAX_NAME = 4096
# What is done with a name grows with its folders. The deepest that packages have, nested node_modules, are some 40.
MAX_DEPTH = 255


class Malformed(Exception):
    """A header breaks the rules; the message is a clause that says which."""


def number(field: bytes) -> int:
    """Read a size: octal digits padded with blanks and NULs, or base 256, marked by the first bit. Raises Malformed."""
    if field[0] & 0x80:
        if field[0] & 0x40:
            raise Malformed("a number is negative")
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    if not digits.isdigit() or digits.translate(None, b"01234567"):
        raise Malformed("a number is not octal")
    return int(digits, 8)


def check_sum(block: bytes) -> None:
    """Compare a header with its checksum, summed over unsigned bytes, or signed ones. Raises Malformed."""
    # The low half of adler32 is one more than the sum of the bytes, modulo 65521: exactly so for up to 256 bytes. It
    # takes a tenth of the time that sum() does. The field itself counts as eight blanks.
    unsigned = (
        (adler32(block[:148]) & 0xFFFF)
        + (adler32(block[156:334]) & 0xFFFF)
        + (adler32(block[334:]) & 0xFFFF)
        + (8 * 32 - 3)
    )
    if block[148:156] == b"%06o\0 " % unsigned:  # as all writers of today write it
        return
    stored = number(block[148:156])
    if stored != unsigned and stored != unsigned - 256 * _high_bytes(block):
        raise Malformed("a header's checksum is wrong")


def _high_bytes(block: bytes) -> int:
    return sum(byte > 0x7F for byte in block[:148] + block[156:])


def text(field: bytes) -> bytes:
    """Cut a field at its first NUL."""
    end = field.find(0)
    return field if end < 0 else field[:end]


def full_name(block: bytes) -> bytes:
    """Join the name of a header with its prefix, where the format has one."""
    name = text(block[:100])
    if block[345] and block[257:263] == b"ustar\0":
        # star, an older tar, keeps times behind a shorter prefix, and signs the block's end.
        prefix = text(block[345:476] if block[508:] == b"tar\0" else block[345:500])
        return prefix + b"/" + name
    return name


def is_gnu(block: bytes) -> bool:
    """Tell whether a header is of GNU tar's old format."""
    return block[257:265] == b"ustar  \0"


def decode(raw: bytes) -> str:
    """Decode a name; bytes that are no UTF-8 are written as backslash escapes, so that every name can be stored.

    Raises Malformed: it is too long, or has a NUL in it.
    """
    if len(raw) > MAX_NAME:
        raise Malformed(f"a name has {len(raw)} bytes, and Linux allows {MAX_NAME}")
    if 0 in raw:
        raise Malformed("a name has a NUL in it")
    return raw.decode("utf-8", "backslashreplace")


def normal(name: str) -> str:
    """Take `./` from a name's front and `/` from its end; the root is the empty name.

    Raises Malformed: it is absolute, has empty, `.` or `..` parts, or is too deep.
    """
    if name == "/":  # kaniko writes the root so
        return ""
    name = name.removeprefix("./").removesuffix("/")
    if name == ".":
        return ""
    if name[:1] in {"/", "."} or "/." in name or "//" in name or name[-1:] == "/":
        _check_parts(name)
    if name.count("/") > MAX_DEPTH:
        raise Malformed(f"it is more than {MAX_DEPTH} folders deep")
    return name


def _check_parts(name: str) -> None:
    if name.startswith("/"):
        raise Malformed("its name is absolute")
    parts = name.split("/")
    if ".." in parts:
        raise Malformed("its name has .. in it")
    if "." in parts or "" in parts:
        raise Malformed("its name is not normal: it has an empty part, or a dot for one")


def records(data: bytes) -> dict[bytes, bytes]:
    """Read the records of a pax header, `<length> <key>=<value>` and a newline each; the last of equal keys wins.

    Empty values are left out, for they mean that there is none. Raises Malformed.
    """
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        blank = data.find(b" ", position, position + 20)  # no length has more digits
        digits = data[position:blank]
        if blank < 0 or not digits.isdigit():
            raise Malformed("a pax record has no length")
        end = position + int(digits)
        # Not behind the data, and not before its own key, for then this would go round for ever.
        if not blank + 1 < end <= len(data) or data[end - 1] != 0x0A:
            raise Malformed("a pax record has a wrong length")
        key, equals, value = data[blank + 1 : end - 1].partition(b"=")
        if not key or not equals:
            raise Malformed("a pax record has no key")
        found[key] = value
        position = end
    return {key: value for key, value in found.items() if value}


def decimal(value: bytes) -> int:
    """Read a number of a pax record. Raises Malformed."""
    if len(value) > 20 or not value.isdigit():
        raise Malformed("a number in a pax header is none")
    return int(value)
