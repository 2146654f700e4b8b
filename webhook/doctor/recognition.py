"""How an installation was made, as its own objects show: what is expected of it depends on that."""

from dataclasses import replace

from webhook.doctor.place import CONFIGURATION, CONTROLLER, Certificates, Place
from webhook.doctor.reading import objects, sequence, text
from webhook.doctor.site import Site
from webhook.kube import DEPLOYMENTS, VALIDATING_CONFIGURATIONS, Document
from webhook.kubeerrors import KubeError

_VARIABLE = "NBGATE_CONTROLLER_CERTIFICATES"
_RELEASE = "meta.helm.sh/release-name"
_INJECTED = "cert-manager.io/inject-ca-from"


def recognised(site: Site) -> Place:
    """Complete what is known of the place; where nothing may be looked at, it stays as it was given."""
    try:
        controller = site.ours(DEPLOYMENTS, CONTROLLER)
        return read(controller, site.find(VALIDATING_CONFIGURATIONS, CONFIGURATION), site.place)
    except KubeError:
        return site.place


def read(controller: Document | None, configuration: Document | None, place: Place) -> Place:
    """Complete it by the controller's Deployment and the validating configuration, None for what is not there."""
    release = text(controller, "metadata", "annotations", _RELEASE)
    certificates: Certificates = "self"
    if _issues_none(controller):
        injected = text(configuration, "metadata", "annotations", _INJECTED)
        certificates = "cert-manager" if injected else "own"
    return replace(place, certificates=certificates, release=release)


def _issues_none(controller: Document | None) -> bool:
    for container in objects(controller, "spec", "template", "spec", "containers"):
        args = " ".join(map(str, sequence(container, "args"))).replace("=", " ")
        env = {text(one, "name"): text(one, "value") for one in objects(container, "env")}
        if "--certificates none" in args or env.get(_VARIABLE) == "none":
            return True
    return False
