"""The TLS context that serves a checked pair: exactly the bytes that were checked."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from certs.directory import ServingPair
from certs.errors import UnusableCertificateError


def server_context(pair: ServingPair) -> ssl.SSLContext:
    """Return a context for a server: TLS 1.2 or newer, and with client CAs only clients of theirs.

    Raise UnusableCertificateError when OpenSSL refuses the pair, such as a key that is too short
    for its security level.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with _memory_file(pair.certificate_pem) as chain, _memory_file(pair.key_pem) as key:
            context.load_cert_chain(chain, key)
        if pair.client_authorities:
            context.load_verify_locations(cadata=b"".join(ca.der for ca in pair.client_authorities))
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # SSLError is one
        raise UnusableCertificateError(
            f"{pair.certificate_path}: OpenSSL does not take it or its key ({error}); "
            "issue the pair again with ECDSA P-256 or RSA 2048"
        ) from error
    return context


@contextmanager
def _memory_file(content: bytes) -> Iterator[str]:
    """Give bytes a path, as `ssl` takes nothing else; the key touches no disk."""
    descriptor = os.memfd_create("nbgate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        yield f"/proc/self/fd/{descriptor}"
