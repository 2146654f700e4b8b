"""What the leader among the controllers does besides scanning: the duties, put together."""

from collections.abc import Callable, Sequence

from webhook.cli.controllersettings import ControllerSettings
from webhook.controller.certificates import CertificateUpkeep
from webhook.controller.duty import Duty
from webhook.controller.mandate import Mandate
from webhook.controller.policystatus import PolicyStatusUpkeep
from webhook.controller.refusals import Refusals
from webhook.controller.touching import Touching
from webhook.controller.usage import Usage
from webhook.controller.verdicts import Verdicts
from webhook.kube import Kube


def upkeep(settings: ControllerSettings, kube: Kube) -> CertificateUpkeep | None:
    """Make the duty that looks after certificates; None where others do."""
    if settings.certificates == "none":
        return None
    return CertificateUpkeep(
        kube,
        namespace=settings.namespace,
        leaf_lifetime=settings.leaf_lifetime,
        authority_lifetime=settings.ca_lifetime,
    )


def duties(
    settings: ControllerSettings,
    kube: Kube,
    verdicts: Verdicts,
    mandate: Mandate,
    policy_changed_at: Callable[[], float],
) -> Sequence[Duty]:
    """Make the others; each asks the mandate before it writes."""
    return (
        Touching(kube, verdicts, mandate=mandate, policy_changed_at=policy_changed_at),
        Refusals(kube, mandate=mandate),
        Usage(kube, prune_after=settings.prune_after, mandate=mandate),
        PolicyStatusUpkeep(kube, mandate=mandate),
    )
