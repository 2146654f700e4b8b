"""A certificate with its private key, and how a key is made and read."""

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from certs.errors import MalformedKeyError


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A PEM certificate and its key: PKCS #8 PEM, not encrypted, never shown by repr."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make an ECDSA P-256 key: small, fast to sign with, and known to every TLS client."""
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: PrivateKeyTypes) -> bytes:
    """Return a key as PKCS #8 PEM, not encrypted: what a Secret of type kubernetes.io/tls holds."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_key(pem: bytes, *, source: str = "the private key") -> PrivateKeyTypes:
    """Read one unencrypted private key. `source` is what the error calls it, usually a file's path.

    Raise MalformedKeyError. An encrypted key is refused here because OpenSSL would ask for its
    password on the terminal and so hang a server.
    """
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise MalformedKeyError(
            f"{source}: the private key is encrypted; store it without a password"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedKeyError(
            f"{source}: not a private key in PEM that this build can read; "
            "write one as PKCS #8 (BEGIN PRIVATE KEY), or issue the pair again"
        ) from error


def public_bytes(key: PublicKeyTypes) -> bytes:
    """Return a public key in the one form in which two keys can be compared."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
