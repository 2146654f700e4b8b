"""What a replica serves, asked through a port-forward of the API server: its certificate, and how it is.

The handshake is the API server's: by each caBundle, for the Service's name. A replica that asks for a client's
certificate still shows its own.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from certs.certificate import Certificate, describe
from certs.errors import CertificateError
from webhook.core.words import cut
from webhook.doctor.site import Cluster
from webhook.kubeerrors import KubeError

SECONDS = 10.0  # for each step; a ready replica answers in milliseconds
_BODY = 64 << 10  # bytes of /readyz


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a pod's server showed.

    Attributes:
        leaf: its certificate; None where there was no handshake.
        refused: by CA bundle (PEM), why a client with it does not trust the server; empty where it does.
        problem: why nothing was seen.
    """

    pod: str
    leaf: Certificate | None = None
    refused: Mapping[bytes, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A port of a pod."""

    kube: Cluster
    namespace: str
    pod: str
    port: int

    def connect(self) -> socket.socket:
        """Connect to it through the API server. Raises KubeError."""
        line = self.kube.forward(self.pod, self.namespace, self.port, SECONDS)
        line.settimeout(SECONDS)
        return line


def look_at(replica: Replica, host: str, bundles: Sequence[bytes]) -> Served:
    """Shake hands once without trust, for the certificate, and once by each bundle. Raises KubeError."""
    try:
        leaf = _leaf(replica, host)
        refused = {bundle: _refusal(replica, host, bundle) for bundle in bundles}
    except (OSError, CertificateError) as error:
        problem = f"no TLS handshake on port {replica.port}: {cut(str(error), 200)}"
        return Served(pod=replica.pod, problem=problem)
    return Served(pod=replica.pod, leaf=leaf, refused=refused)


def _leaf(replica: Replica, host: str) -> Certificate:
    context = _trusting_all()
    with replica.connect() as raw, context.wrap_socket(raw, server_hostname=host) as line:
        der = line.getpeercert(binary_form=True) or b""
    pem = ssl.DER_cert_to_PEM_cert(der).encode()
    return describe(pem, source=f"what {replica.pod} serves")[0]


def _refusal(replica: Replica, host: str, bundle: bytes) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Go trusts any certificate of the bundle, also one that another has issued.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=bundle.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        return f"the bundle cannot be read: {cut(str(error), 100)}"
    with replica.connect() as raw:
        try:
            context.wrap_socket(raw, server_hostname=host).close()
        except ssl.SSLCertVerificationError as error:
            return cut(error.verify_message, 200)
    return ""


def readiness(replica: Replica, *, tls: bool) -> bytes:
    """Ask a replica for `/readyz`; give the body, whatever the status. Raises KubeError, also where nothing answers."""
    try:
        with replica.connect() as raw:
            line = _trusting_all().wrap_socket(raw) if tls else raw
            with closing(http.client.HTTPConnection(replica.pod, timeout=SECONDS)) as connection:
                connection.sock = line
                connection.request("GET", "/readyz")
                return connection.getresponse().read(_BODY)
    except (OSError, http.client.HTTPException) as error:
        why = cut(str(error) or type(error).__name__, 200)
        raise KubeError(f"{replica.pod} does not answer on port {replica.port}: {why}") from error


def _trusting_all() -> ssl.SSLContext:
    """Trust anybody: what is seen goes to whoever may forward ports, and to nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
