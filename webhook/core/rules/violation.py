"""What a rule finds, and what it looks at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from webhook.core.actions import Action
from webhook.core.imagepattern import ImagePattern
from webhook.core.pod import Container
from webhook.core.policy import Exemption
from webhook.core.reference import Reference
from webhook.core.requirements import RuleId
from webhook.core.verdict import Finding


class ImageUse(NamedTuple):
    """One container's image, read and looked up.

    Attributes:
        reference: None where the image is not a reference; then `problem` says why.
        serves: it is the notebook's own container.
        finding: what the scans know; None where the image is not a reference.
    """

    container: Container
    reference: Reference | None
    problem: str
    serves: bool
    finding: Finding | None

    @property
    def unknown(self) -> bool:
        """Whether nothing is known of the image, not even that somebody has asked for its scan."""
        found = self.finding
        return found is not None and found.scan is None and found.pending is None

    def matches(self, patterns: Sequence[ImagePattern]) -> bool:
        """Tell whether the image matches one of the patterns.

        A tag beside a digest is only its writer's word: it counts when our own scan resolved it to that digest.
        """
        reference = self.reference
        if reference is None:
            return False
        trusted = self.finding is not None and self.finding.tag_vouched
        return any(pattern.matches(reference, trust_tag=trusted) for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One rule that does not hold.

    Attributes:
        message: the detail for people; the stable reason is `rule`.
        field: the place in the object, as `spec.containers[0].image`.
        use: the image that it is about; for rules about the pod, the notebook's.
        known: it is known to be wrong; False where it is only not known to be right (unscanned, stale, Unknown).
    """

    rule: RuleId
    action: Action
    message: str
    field: str
    use: ImageUse
    known: bool = True

    def waived_by(
        self, exemptions: Sequence[Exemption], namespace: str, now: float
    ) -> Exemption | None:
        """Find the first exemption that waives it in this namespace, at this time."""
        for exemption in exemptions:
            if not exemption.waives(self.rule, namespace, now):
                continue
            if not exemption.images or self.use.matches(exemption.images):
                return exemption
        return None
