"""A directory of certificates as a Secret mounts it: load a checked pair, write one, watch it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from certs.certificate import Certificate, describe
from certs.checks import FaultKind, faults
from certs.errors import CertificateError, UnusableCertificateError, UnusableDirectoryError
from certs.files import make_private_directory, read, read_if_there, replace
from certs.keypair import KeyPair, read_key
from certs.layout import (
    AUTHORITY_CERTIFICATE,
    AUTHORITY_KEY,
    CLIENT_AUTHORITIES,
    LEAF_CERTIFICATE,
    LEAF_KEY,
)
from certs.lock import locked

_SERVED = (LEAF_CERTIFICATE, LEAF_KEY, CLIENT_AUTHORITIES)

# kubelet's AtomicWriter: `tls.crt` -> `..data/tls.crt`, `..data` -> `..2026_01_01_…`, and a change is
# one rename of `..data`, after which the old directory is removed.
_KUBELET_LINK = "..data"

# What we read may be removed under our hands by a swap; kubelet makes one a minute or so.
_SWAPS_MET = 2


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
    for _ in range(_SWAPS_MET):
        live = _live(directory)
        try:
            return _load(directory, live, now)
        except UnusableDirectoryError:
            if _live(directory) == live:
                raise
    return _load(directory, _live(directory), now)


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
    return _version(_live(directory))


def _load(directory: Path, live: Path, now: datetime) -> ServingPair:
    """Load from the real directory `live`; errors name the files as in `directory`."""
    seen = _version(live)  # of the directory that is read, even if another is live by now
    certificate_path, key_path = directory / LEAF_CERTIFICATE, directory / LEAF_KEY
    errors: list[CertificateError] = []
    certificate_pem = key_pem = b""
    chain: tuple[Certificate, ...] = ()
    client_authorities: tuple[Certificate, ...] | None = None
    with _gathering(errors):
        certificate_pem = read(live / LEAF_CERTIFICATE, shown=certificate_path)
        chain = describe(certificate_pem, source=str(certificate_path))
    with _gathering(errors):
        key_pem = _read_key_pem(live / LEAF_KEY, key_path)
    with _gathering(errors):
        client_authorities = _client_authorities(live, directory / CLIENT_AUTHORITIES, now)
    if chain:
        errors += _leaf_errors(directory, chain[0], key_pem or None, now)
    if errors:
        raise UnusableDirectoryError(errors)
    return ServingPair(
        certificate_path=certificate_path,
        key_path=key_path,
        client_ca_path=directory / CLIENT_AUTHORITIES if client_authorities else None,
        certificate_pem=certificate_pem,
        key_pem=key_pem,
        leaf=chain[0],
        client_authorities=client_authorities or (),
        version=seen,
    )


@contextmanager
def _gathering(errors: list[CertificateError]) -> Iterator[None]:
    try:
        yield
    except CertificateError as error:
        errors.append(error)


def _read_key_pem(path: Path, shown: Path) -> bytes:
    pem = read(path, shown=shown)
    read_key(pem, source=str(shown))
    return pem


def _leaf_errors(
    directory: Path, leaf: Certificate, key_pem: bytes | None, now: datetime
) -> Iterator[UnusableCertificateError]:
    for fault in faults(leaf, now=now, key_pem=key_pem):
        at_key = fault.kind is FaultKind.KEY_MISMATCH
        path = directory / (LEAF_KEY if at_key else LEAF_CERTIFICATE)
        yield UnusableCertificateError(f"{path}: {fault}")


def _client_authorities(live: Path, shown: Path, now: datetime) -> tuple[Certificate, ...] | None:
    """Return the client CAs, or None without the file: a file that holds no CA refuses everyone."""
    pem = read_if_there(live / CLIENT_AUTHORITIES, shown=shown)
    if pem is None:
        return None
    found = describe(pem, source=str(shown))
    if not any(one.is_ca and one.not_before <= now <= one.not_after for one in found):
        raise UnusableCertificateError(
            f"{shown}: holds no CA certificate that is valid now, so no client could connect; "
            "put the client CA there, or remove the file"
        )
    return found


def _live(directory: Path) -> Path:
    """Return the real directory behind kubelet's links, if there are any."""
    link = directory / _KUBELET_LINK
    return Path(os.path.realpath(link if link.is_symlink() else directory))


def _version(live: Path) -> str:
    return " ".join(_identity(live / name) for name in _SERVED)


def _identity(path: Path) -> str:
    try:
        found = path.stat()
    except OSError as error:
        return f"{path.name}:{error.errno}"
    return (
        f"{path.name}:{found.st_dev:x}.{found.st_ino:x}.{found.st_size:x}"
        f".{found.st_mtime_ns:x}.{found.st_ctime_ns:x}"
    )
