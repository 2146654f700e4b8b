"""Where an installation is and how it was made, in the words that people type: what cures are written with."""

import shlex
from dataclasses import dataclass
from typing import Literal

from webhook import __version__

NAMESPACE = "nbgate-system"
PROBE_NAMESPACE = "nbgate-probes"
WEBHOOK = "nbgate-webhook"
CONTROLLER = "nbgate-controller"
SERVICE = "nbgate"
CONFIGURATION = "nbgate"

Certificates = Literal["self", "cert-manager", "own"]
_OWN_CERTIFICATES = (
    "https://github.com/nbgate/nbgate/blob/main/docs/certificates.md#your-own-certificates"
)
_MANIFESTS = "https://github.com/nbgate/nbgate//deploy/overlays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The installation that is looked at.

    Attributes:
        namespace: where its Deployments are.
        context: of the kubeconfig; None for the current one.
        profile: the profile namespace that dry runs go to; None for the first that there is.
        certificates: who issues them: the controller itself, cert-manager, or the platform team.
        release: of Helm; empty where the manifests were applied.
        version: of this program, which the installation is compared with.
    """

    namespace: str = NAMESPACE
    context: str | None = None
    profile: str | None = None
    certificates: Certificates = "self"
    release: str = ""
    version: str = __version__

    @property
    def kubectl(self) -> str:
        """The beginning of a command for this cluster."""
        return f"kubectl --context {shlex.quote(self.context)}" if self.context else "kubectl"

    @property
    def here(self) -> str:
        """The beginning of a command for the installation's namespace."""
        return f"{self.kubectl} -n {shlex.quote(self.namespace)}"

    @property
    def install(self) -> str:
        """What puts everything back that this version installs; it keeps certificates, scans and policy."""
        if self.release:
            context = f" --kube-context {shlex.quote(self.context)}" if self.context else ""
            flags = f"-n {shlex.quote(self.namespace)}{context} --reuse-values"
            return f"helm upgrade {shlex.quote(self.release)} deploy/chart {flags}  # in a checkout of v{self.version}"
        if self.certificates == "own":
            return f"# apply your manifests of nbgate v{self.version} again"
        overlay = "self-managed" if self.certificates == "self" else "cert-manager"
        return f"{self.kubectl} apply -k '{_MANIFESTS}/{overlay}?ref=v{self.version}'"

    @property
    def about_certificates(self) -> str:
        """What tells why a certificate is not as it should be."""
        if self.certificates == "self":
            return f"{self.here} logs deployment/{CONTROLLER} --tail=100 | grep -i certificate"
        if self.certificates == "own":
            return f"# {_OWN_CERTIFICATES}"
        return f"{self.here} describe certificate nbgate-tls"
