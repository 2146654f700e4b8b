"""What can go wrong with certificates, as one tree. Each message names the place and the cure.

CertificateError
├── RequestError                 what was asked for cannot be issued
│   ├── HostError                a host that cannot stand in a certificate
│   ├── CommonNameError          a common name that RFC 5280 does not allow
│   └── LifetimeError            times that no certificate can carry
├── MalformedCertificateError    bytes that are not whole PEM certificates
├── MalformedKeyError            bytes that are not one unencrypted private key
├── UnusableCertificateError     readable, but it cannot sign or serve
├── UnreadableFileError          missing, too large, not a file, or not permitted
├── UnwritableFileError          not permitted, read-only, or no space
├── BusyDirectoryError           another process holds the directory's lock
├── ForeignFileError             renewing would replace what nbgate did not issue
└── UnusableDirectoryError       every reason why a directory cannot serve, in `errors`

A caller that serves keeps its last good pair on any of them.
"""

from collections.abc import Sequence


class CertificateError(Exception):
    """Anything that keeps a certificate from being issued, read, stored or served."""


class RequestError(CertificateError):
    """What was asked for cannot be issued."""


class HostError(RequestError):
    """A host that cannot stand in a certificate."""


class CommonNameError(RequestError):
    """A common name that RFC 5280 does not allow."""


class LifetimeError(RequestError):
    """Times that no certificate can carry."""


class MalformedCertificateError(CertificateError):
    """Bytes that are not whole PEM certificates."""


class MalformedKeyError(CertificateError):
    """Bytes that are not one unencrypted private key in PEM."""


class UnusableCertificateError(CertificateError):
    """A certificate or key that can be read, but cannot sign or serve."""


class UnreadableFileError(CertificateError):
    """A file that is missing, too large, not a regular file, or not permitted."""


class UnwritableFileError(CertificateError):
    """A file that cannot be written: not permitted, read-only, or no space."""


class BusyDirectoryError(CertificateError):
    """Another process holds the directory's lock for longer than we wait."""


class ForeignFileError(CertificateError):
    """Files that nbgate did not issue, and that it would have to replace."""


class UnusableDirectoryError(CertificateError):
    """A directory that cannot serve; `errors` holds every reason, at least one."""

    def __init__(self, errors: Sequence[CertificateError]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = tuple(errors)
