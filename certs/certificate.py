"""What a certificate says, read once from PEM into a frozen value."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.errors import MalformedCertificateError

# Found by feeding 400,000 mutated certificates to cryptography. Its warnings (a serial number that
# is not positive, an odd country name) are exceptions where warnings are errors.
_FAULTS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    Warning,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

# RFC 7468 5.1 and its older labels, such as X509 CERTIFICATE; not CERTIFICATE REQUEST.
_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9. ]*CERTIFICATE-----")

_SERVER_USES = frozenset(
    {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One X.509 certificate. Text never holds control characters; times are aware and UTC."""

    subject: str
    """RFC 4514, such as `CN=nbgate`."""
    issuer: str
    hosts: tuple[str, ...]
    """DNS names and IP addresses of subjectAltName, names first, in lower case."""
    not_before: datetime
    not_after: datetime
    """The last moment of validity: it is included."""
    serial: str
    """Lower-case hex, no separators."""
    fingerprint: str
    """SHA-256 of the DER, 64 lower-case hex digits."""
    is_ca: bool
    for_servers: bool
    """Clients accept it from a server: no extended key usage, or one that permits it."""
    key_algorithm: str
    """Such as `ECDSA P-256` or `RSA 2048`."""
    der: bytes = field(repr=False)


def describe(pem: bytes, *, source: str = "the certificate") -> tuple[Certificate, ...]:
    """Read every certificate of a PEM text, in its order; at least one.

    Other PEM blocks and text between them are skipped. `source` is what the error calls the text,
    usually a file's path. Raise MalformedCertificateError when there is none, or when any of them
    is not whole: part of a chain is never returned.
    """
    try:
        found = tuple(map(_describe, x509.load_pem_x509_certificates(pem)))
    except _FAULTS as error:
        raise MalformedCertificateError(
            f"{source}: no PEM certificate that can be read; "
            "write it as -----BEGIN CERTIFICATE-----, or issue it again"
        ) from error
    begun = len(_BEGIN.findall(pem))
    if len(found) != begun:
        raise MalformedCertificateError(
            f"{source}: {begun} certificates begin but {len(found)} can be read whole; write the file again"
        )
    return found


def parsed(certificate: Certificate) -> x509.Certificate:
    """Return the certificate as cryptography's own object, to verify or sign with."""
    return x509.load_der_x509_certificate(certificate.der)


def _describe(certificate: x509.Certificate) -> Certificate:
    return Certificate(
        subject=_printable(certificate.subject.rfc4514_string()),
        issuer=_printable(certificate.issuer.rfc4514_string()),
        hosts=_hosts(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        serial=f"{certificate.serial_number:x}",
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        is_ca=_is_ca(certificate),
        for_servers=_for_servers(certificate),
        key_algorithm=_algorithm(certificate.public_key()),
        der=certificate.public_bytes(serialization.Encoding.DER),
    )


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    dns = [_printable(name.lower()) for name in names.get_values_for_type(x509.DNSName)]
    return (*dns, *map(str, names.get_values_for_type(x509.IPAddress)))


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _for_servers(certificate: x509.Certificate) -> bool:
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return not _SERVER_USES.isdisjoint(uses)


def _algorithm(key: CertificatePublicKeyTypes) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey")


def _printable(text: str) -> str:
    """Escape what is not printable: a subject may hold any text, and goes to terminals and logs."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
