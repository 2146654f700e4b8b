"""A directory of certificates as a Secret mounts it: load a checked pair, write one, watch it.

tls.crt         the server's certificate, then any intermediates
tls.key         its key
client-ca.crt   optional: the CAs whose clients may connect (mutual TLS)
ca.crt ca.key   the CA of a directory of our own issue; not read here
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from certs.certificate import Certificate, describe
from certs.checks import faults
from certs.errors import CertificateError, UnusableCertificateError, UnusableDirectoryError
from certs.files import make_private_directory, read, read_if_there, replace
from certs.keypair import KeyPair, read_key
from certs.lock import locked

LEAF_CERTIFICATE = "tls.crt"
LEAF_KEY = "tls.key"
CLIENT_AUTHORITIES = "client-ca.crt"
AUTHORITY_CERTIFICATE = "ca.crt"
AUTHORITY_KEY = "ca.key"

_SERVED = (LEAF_CERTIFICATE, LEAF_KEY, CLIENT_AUTHORITIES)

# kubelet's AtomicWriter: `tls.crt` -> `..data/tls.crt`, `..data` -> `..2026_01_01_…`, and a change is
# one rename of `..data`, after which the old directory is removed.
_KUBELET_LINK = "..data"

# One swap while we read is met by reading again; kubelet swaps at most once a minute or so.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPair:
    """A pair that was checked as a whole. The bytes are what was checked; the paths are for people.

    A server takes the bytes (`certs.context`): the files may have changed since.
    """

    certificate_path: Path
    key_path: Path
    client_ca_path: Path | None
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    leaf: Certificate
    client_authorities: tuple[Certificate, ...]
    version: str
    """What `version()` said before the files were read: another one now means that they changed."""


def load(directory: Path, *, now: datetime) -> ServingPair:
    """Read and check a pair, as of one moment.

    Raise UnusableDirectoryError with every reason at once: a file that is missing, over 1 MiB or not
    PEM, a key that is not the certificate's (as while both are being replaced), a certificate that
    does not hold now, names no host or is not for servers, client CAs of which none holds now.
    The caller then keeps its last good pair, and tries again when `version()` changes, and now and
    then besides: a certificate that is not valid yet becomes so without any file changing.
    """
    seen = version(directory)
    contents = _read_together(directory)
    return _checked(directory, contents, seen, now)


def write(directory: Path, leaf: KeyPair, *, authority: KeyPair | None = None) -> None:
    """Write a pair, and the CA when given, replacing each file as one step; keys are 0600.

    The directory is created (0700) when missing. A key is always written before its certificate, so
    `load` sees a mismatch between the two steps and never a certificate without its key.
    Raise UnwritableFileError or BusyDirectoryError.
    """
    make_private_directory(directory)
    with locked(directory):
        write_locked(directory, leaf, authority=authority)


def write_locked(directory: Path, leaf: KeyPair, *, authority: KeyPair | None = None) -> None:
    """Do what `write` does, for a caller that holds the directory's lock already."""
    if authority is not None:
        replace(directory / AUTHORITY_KEY, authority.key_pem, mode=0o600)
        replace(directory / AUTHORITY_CERTIFICATE, authority.certificate_pem, mode=0o644)
    replace(directory / LEAF_KEY, leaf.key_pem, mode=0o600)
    replace(directory / LEAF_CERTIFICATE, leaf.certificate_pem, mode=0o644)


def version(directory: Path) -> str:
    """Return a text that differs whenever the served files have changed; never raises.

    Three stat calls, some microseconds: cheap enough to poll each second. A file that is overwritten
    in place with as many bytes within one tick of the clock (4 ms) goes unnoticed; a rename never.
    """
    live = _live(directory)
    return " ".join(_identity(live / name) for name in _SERVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    certificate: bytes | CertificateError
    key: bytes | CertificateError
    client_authorities: bytes | CertificateError | None


def _live(directory: Path) -> Path:
    """Return the real directory behind kubelet's links, if there are any."""
    link = directory / _KUBELET_LINK
    return Path(os.path.realpath(link if link.is_symlink() else directory))


def _identity(path: Path) -> str:
    try:
        found = path.stat()
    except OSError as error:
        return f"{path.name}:{error.errno}"
    return (
        f"{path.name}:{found.st_dev:x}.{found.st_ino:x}.{found.st_size:x}"
        f".{found.st_mtime_ns:x}.{found.st_ctime_ns:x}"
    )
