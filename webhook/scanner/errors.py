"""Why an image could not be scanned. That it does not conform is no error but a value.

ScanError              one line: the place, what is wrong, the cure
├── SourceError        its bytes could not be had
│   ├── NotFound       the registry, layout or archive has no such image
│   ├── Unauthorized   the registry wants credentials, or other ones
│   ├── Refused        we do not go there: an address, a redirect or a token realm that policy forbids
│   └── Unreachable    no answer, or a broken one; worth another try later
│       └── RateLimited    the registry asks for patience
├── BadContent         the bytes came, and are not what they should be: digest, size, format, a limit passed
└── ProbeError         the probe could not be run: podman is missing, the API server refused the Pod
"""


class ScanError(Exception):
    """An image could not be scanned; the message is one printable line that names the place, the fault and the cure.

    Attributes:
        temporary: the same scan may succeed later.
    """

    temporary = False


class SourceError(ScanError):
    """The image's bytes could not be had."""


class NotFound(SourceError):
    """There is no such image, or none that these credentials may see."""


class Unauthorized(SourceError):
    """The registry refused our credentials, or their absence."""


class Refused(SourceError):
    """We were led to where policy forbids to go."""


class Unreachable(SourceError):
    """There was no answer, or a broken one."""

    temporary = True


class RateLimited(Unreachable):
    """The registry asks for patience.

    Attributes:
        retry_after: seconds that it asks for; None where it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadContent(ScanError):
    """The bytes are not what they should be."""


class ProbeError(ScanError):
    """The probe itself could not be run; says nothing of the image."""

    temporary = True
