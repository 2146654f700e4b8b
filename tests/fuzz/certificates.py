"""Certificates and keys, PEM and DER, and what is kept of them in a Secret. Seeds are made when they are asked for."""

import base64
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache

from certs.authority import issue_authority, issue_leaf, signing_key
from certs.bundle import bundle_pem, decode_bundle, encode_bundle, merged, read_bundle
from certs.certificate import Certificate, describe
from certs.checks import faults, issued_by
from certs.errors import CertificateError
from certs.keypair import KeyPair, public_bytes, read_key
from certs.lifetime import renewal_due
from certs.rotationstate import read_state, write_state
from tests.fuzz.parts import joined
from tests.fuzz.target import Target, one_line

NOW = datetime(2026, 1, 2, tzinfo=UTC)
_NAMES = (b"ca.crt", b"ca.key", b"previous.crt", b"rotation.json")


@cache
def pairs() -> Mapping[bytes, KeyPair]:
    """Make one CA and a leaf of it."""
    authority = issue_authority("fuzz CA", now=NOW, lifetime=timedelta(days=30))
    hosts = ["a.example.com", "*.b.example.com", "10.0.0.1"]
    leaf = issue_leaf(authority, hosts=hosts, now=NOW, lifetime=timedelta(days=3))
    return {b"ca": authority, b"tls": leaf}


def _as_pem(label: str, data: bytes) -> bytes:
    """Write DER as PEM; so a mutation of the bytes themselves is read too."""
    lines = base64.encodebytes(data).decode()
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n".encode()


def check_certificate(data: bytes) -> None:
    """Bytes are certificates whose texts fit a line, or a CertificateError says why not; a bundle stays the same."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "error"
        )  # as where warnings are errors: none may get past the readers
        for pem in (data, _as_pem("CERTIFICATE", data)):
            for found in _described(pem):
                _check_found(found)
            bundle = read_bundle(pem)
            assert read_bundle(bundle_pem(bundle)) == bundle
            assert decode_bundle(encode_bundle(bundle)) == bundle
            assert merged(bundle, (), now=NOW) == tuple(c for c in bundle if c.not_after >= NOW)
        decode_bundle(data.decode("latin-1"))


def _described(pem: bytes) -> tuple[Certificate, ...]:
    try:
        return describe(pem)
    except CertificateError as error:
        one_line(str(error))
        return ()


def _check_found(found: Certificate) -> None:
    for text in (found.subject, found.issuer, *found.hosts, found.key_algorithm):
        assert text == "" or text.isprintable()
    authority = describe(pairs()[b"ca"].certificate_pem)[0]
    assert issued_by(found, authority) in (True, False)
    issued_by(authority, found)
    renewal_due(found, NOW)
    key = pairs()[b"tls"].key_pem
    with suppress(CertificateError):
        for fault in faults(found, now=NOW, key_pem=key, authorities=[authority], hosts=["a.b"]):
            one_line(str(fault), 20_000)


def check_key(data: bytes) -> None:
    """Bytes are a key that has a public half, or a CertificateError says why not, without showing it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pem in (data, _as_pem("PRIVATE KEY", data), _as_pem("EC PRIVATE KEY", data)):
            for read in (read_key, signing_key):
                try:
                    assert public_bytes(read(pem).public_key())
                except CertificateError as error:
                    one_line(str(error))


def check_rotation(data: bytes) -> None:
    """Whatever the Secret holds is read, and is the same when it is written again; part 4 is rotation.json."""
    secret = dict(zip((name.decode() for name in _NAMES), _filled(data), strict=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = read_state(secret)
        assert state.complaint == "" or state.complaint.isprintable()
        again = read_state(write_state(state))
    assert (again.signer, again.formers, again.over) == (state.signer, state.formers, state.over)
    assert (again.announced, again.served) == (state.announced, state.served)
    assert again.complaint == ""


def _filled(data: bytes) -> Iterator[bytes]:
    """Put certificates and keys in the places of their names, for no input is kept with one."""
    for piece in data.split(b"\n%%\n"):
        text = piece
        for name, pair in pairs().items():
            text = text.replace(b"@%s.crt@" % name, pair.certificate_pem)
            text = text.replace(b"@%s.key@" % name, pair.key_pem)
            fingerprint = describe(pair.certificate_pem)[0].fingerprint.encode()
            text = text.replace(b"@%s@" % name, fingerprint)
        yield text


def _certificates() -> list[bytes]:
    chain = b"".join(pair.certificate_pem for pair in pairs().values())
    ders = [describe(pair.certificate_pem)[0].der for pair in pairs().values()]
    # The serial number stands behind the version; its first bit is its sign, and such a number is none (RFC 5280).
    serial = ders[0].index(b"\xa0\x03\x02\x01\x02\x02") + 7
    negative = ders[0][:serial] + b"\xff" + ders[0][serial + 1 :]
    return [chain, *ders, negative, base64.b64encode(chain)]


def _keys() -> list[bytes]:
    pem = pairs()[b"ca"].key_pem
    body = b"".join(pem.split(b"\n")[1:-2])
    return [pem, base64.b64decode(body)]


_NOTES = (
    b'{"leavesUntil":{"@ca@":"2026-01-03T00:00:00Z","@tls@":"9999-12-31T23:59:59.999999+14:00"},'
    b'"forced":["@tls@"],"over":{"aa":"2026-02-01T00:00:00Z"},'
    b'"announced":{"to":"x","at":"2026-01-02T00:00:00Z"},"served":{"leaf":"@tls@","at":"2026-01-02T00:00:00Z"}}'
)


def _secrets() -> list[bytes]:
    return [
        joined(b"@ca.crt@", b"@ca.key@", b"@tls.crt@", _NOTES),
        joined(b"", b"", b"@ca.crt@", b"{}"),
    ]


TARGETS = (
    Target(
        name="certificate",
        keeps=False,
        check=check_certificate,
        seeds=_certificates,
        words=(
            b"-----BEGIN CERTIFICATE-----\n",
            b"-----END CERTIFICATE-----\n",
            b"-----BEGIN X509 CERTIFICATE-----",
        ),
    ),
    Target(
        name="key",
        keeps=False,
        check=check_key,
        seeds=_keys,
        words=(b"-----BEGIN RSA PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"),
    ),
    Target(
        name="rotation",
        check=check_rotation,
        seeds=_secrets,
        words=(
            b"@ca.crt@",
            b"@tls.key@",
            b'"over":{',
            b'"at":"',
            b"\\ud800",
            b"NaN",
            b"0001-01-01T00:00:00+14:00",
        ),
    ),
)
