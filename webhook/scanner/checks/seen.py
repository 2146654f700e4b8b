"""Everything that was seen of one platform of an image: what each check decides from."""

from collections.abc import Callable
from dataclasses import dataclass

from webhook.core.requirements import Requirement
from webhook.core.scan import Check, Evidence, Result
from webhook.core.words import cut
from webhook.scanner.image import ImageConfig
from webhook.scanner.layers.files import Files
from webhook.scanner.probes.observation import Observation, Run

HOME = "/home/jovyan"
MESSAGE_LIMIT = 300  # a denial of 1 KiB quotes several


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One platform of an image.

    Attributes:
        observation: what a probe saw; None where the image was not started.
        unprobed: why it was not started, as a clause with the cure; empty where it was.
    """

    config: ImageConfig
    files: Files
    observation: Observation | None = None
    unprobed: str = ""

    @property
    def answered(self) -> Run | None:
        """The start that answered; None where none did, or none was tried."""
        return self.observation.answered if self.observation else None


Decide = Callable[[Seen], Check]


def found(
    requirement: Requirement, result: Result, evidence: Evidence | None, message: str
) -> Check:
    """Make a check; whatever strangers wrote into its message is cleaned and cut."""
    return Check(
        requirement=requirement,
        result=result,
        evidence=evidence,
        message=cut(message, MESSAGE_LIMIT),
    )
