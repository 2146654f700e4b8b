"""Issue a CA, and leaves below it (RFC 5280): ECDSA P-256, SHA-256, version 3.

Values in, values out; the only thing from outside is randomness, for keys and serial numbers.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.certificate import Certificate, describe, parsed
from certs.errors import CommonNameError, MalformedKeyError, UnusableCertificateError
from certs.hosts import general_name, normalize_all
from certs.keypair import KeyPair, key_to_pem, new_key, public_bytes, read_key
from certs.lifetime import validity

# RFC 5280 appendix A: ub-common-name.
_LONGEST_COMMON_NAME = 64

SigningKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def issue_authority(
    common_name: str, *, now: datetime, lifetime: timedelta, key_pem: bytes | None = None
) -> KeyPair:
    """Issue a self-signed CA that may sign leaves but no further CA.

    With `key_pem`, the key of an earlier CA of the same name, it renews that one: what either
    signed verifies under both, so clients that still trust the old certificate keep working.
    Raise CommonNameError, LifetimeError, or MalformedKeyError.
    """
    key = new_key() if key_pem is None else signing_key(key_pem)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _common_name(common_name))])
    not_before, not_after = validity(now, lifetime)
    builder = (
        _builder(name, key.public_key(), not_before, not_after)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    certificate = builder.sign(key, hashes.SHA256())
    return _pair(certificate, key_to_pem(key) if key_pem is None else key_pem)


def issue_leaf(
    authority: KeyPair, *, hosts: Sequence[str], now: datetime, lifetime: timedelta
) -> KeyPair:
    """Issue a server certificate for DNS names, wildcards and IP addresses, with a new key.

    It never outlives its CA: its end is moved to the CA's. Raise HostError, LifetimeError (also
    when the CA does not hold now), MalformedCertificateError, MalformedKeyError, or
    UnusableCertificateError when `authority` is no CA or its key is another's.
    """
    issuer, issuer_key = _issuer(authority)
    names = normalize_all(hosts)
    not_before, not_after = validity(now, lifetime, within=issuer)
    key = new_key()
    subject = _leaf_subject(names[0])
    builder = (
        _builder(subject, key.public_key(), not_before, not_after)
        .issuer_name(parsed(issuer).subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_issuer_identifier(parsed(issuer), issuer_key), critical=False)
        # RFC 5280 4.2.1.6: critical when nothing else names the subject.
        .add_extension(
            x509.SubjectAlternativeName(map(general_name, names)), critical=not list(subject)
        )
    )
    return _pair(builder.sign(issuer_key, hashes.SHA256()), key_to_pem(key))


def signing_key(pem: bytes, *, source: str = "the CA's key") -> SigningKey:
    """Read a key that can sign certificates here. Raise MalformedKeyError, calling it `source`."""
    key = read_key(pem, source=source)
    if not isinstance(key, SigningKey):
        raise MalformedKeyError(f"{source}: neither ECDSA nor RSA; use an ECDSA P-256 key")
    return key


def _builder(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        # 128 random bits, positive (RFC 5280 4.1.2.2), and never the same twice.
        .serial_number(1 + secrets.randbelow(2**128 - 1))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _issuer(authority: KeyPair) -> tuple[Certificate, SigningKey]:
    """Return the CA's certificate, the first of its PEM, and its key, which belong together."""
    issuer = describe(authority.certificate_pem, source="the CA's certificate")[0]
    key = signing_key(authority.key_pem)
    if not issuer.is_ca:
        raise UnusableCertificateError(
            f"{issuer.subject} is no CA (basicConstraints); give the certificate of a CA"
        )
    if public_bytes(parsed(issuer).public_key()) != public_bytes(key.public_key()):
        raise UnusableCertificateError(
            f"the CA's key is not the key of {issuer.subject}; give the two that belong together"
        )
    return issuer, key


def _issuer_identifier(issuer: x509.Certificate, key: SigningKey) -> x509.AuthorityKeyIdentifier:
    """Repeat the issuer's own identifier: a CA from elsewhere may compute it in another way."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def _common_name(name: str) -> str:
    if not 1 <= len(name) <= _LONGEST_COMMON_NAME or not name.isprintable():
        raise CommonNameError(
            f"common name {name[:_LONGEST_COMMON_NAME]!r}: write 1 to {_LONGEST_COMMON_NAME} "
            "printable characters"
        )
    return name


def _leaf_subject(host: str) -> x509.Name:
    """Return the first host as common name, for people: clients look at subjectAltName only.

    A Service's name can be longer than a common name may be; the subject is empty then.
    """
    if len(host) > _LONGEST_COMMON_NAME:
        return x509.Name([])
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "nbgate"),
            x509.NameAttribute(NameOID.COMMON_NAME, host),
        ]
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key_pem: bytes) -> KeyPair:
    return KeyPair(
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM), key_pem=key_pem
    )
