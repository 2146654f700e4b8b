"""A caBundle: the CAs by which API servers trust a webhook. PURE.

It is PEM, several certificates one after the other, and base64 of that in the configuration. It is read with
forgiveness, for it may hold anything and must be repaired; what is written is each certificate once.
"""

import base64
import binascii
import ssl
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from certs.certificate import Certificate, describe
from certs.errors import MalformedCertificateError

# Bytes of PEM. Four entries of one configuration hold it as base64, and etcd takes 1.5 MiB of an object; all public
# CAs of the world are 220 KiB. More than this is no caBundle, and reads as none.
LARGEST = 512 * 1024

# Go's crypto/x509, by which the API server reads it, heeds exactly this label.
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def read_bundle(pem: bytes) -> tuple[Certificate, ...]:
    """Read the certificates of a PEM text, each once, in its order; what is not one is passed over.

    Part of a bundle is returned, unlike part of a chain (`certificate.describe`): each CA in it counts by itself, and
    the API server too passes over what it cannot read.
    """
    if len(pem) > LARGEST:
        return ()
    return _each_once(_readable(pem))


def decode_bundle(text: object) -> tuple[Certificate, ...]:
    """Read `caBundle` as it stands in a configuration: base64, nothing, or something that is neither."""
    if not isinstance(text, str) or len(text) > 2 * LARGEST:
        return ()
    try:
        return read_bundle(base64.b64decode(text))
    except (binascii.Error, ValueError):
        return ()


def bundle_pem(certificates: Iterable[Certificate]) -> bytes:
    """Write certificates as PEM, one after the other."""
    return "".join(ssl.DER_cert_to_PEM_cert(one.der) for one in certificates).encode()


def encode_bundle(certificates: Iterable[Certificate]) -> str:
    """Write certificates as `caBundle` holds them: base64 of PEM."""
    return base64.b64encode(bundle_pem(certificates)).decode()


def merged(
    found: Iterable[Certificate],
    trusted: Iterable[Certificate],
    *,
    over: Collection[str] = (),
    now: datetime,
) -> tuple[Certificate, ...]:
    """Give the bundle that should stand where `found` stands: all of `trusted` is in it, and nothing is lost by it.

    What was found stays in its place, also what nobody here knows: somebody may rely on it, and to drop it would fail
    requests. Only a CA that has expired, which verifies nothing any more, and one whose fingerprint is in `over` goes.
    """
    needed = tuple(trusted)
    ours = {one.fingerprint for one in needed}
    kept = (
        one
        for one in found
        if one.fingerprint in ours or (one.fingerprint not in over and now <= one.not_after)
    )
    return _each_once((*kept, *needed))


def fingerprints(certificates: Iterable[Certificate]) -> tuple[str, ...]:
    """Give what tells bundles apart."""
    return tuple(one.fingerprint for one in certificates)


def _readable(pem: bytes) -> Iterator[Certificate]:
    # Split, not a pattern: many beginnings without an end would each be searched to the end of the text.
    for block in pem.split(_BEGIN)[1:]:
        inside, end, _ = block.partition(_END)
        try:
            yield from describe(_BEGIN + inside + end + b"\n")
        except MalformedCertificateError:
            continue


def _each_once(certificates: Iterable[Certificate]) -> tuple[Certificate, ...]:
    return tuple({one.fingerprint: one for one in certificates}.values())
