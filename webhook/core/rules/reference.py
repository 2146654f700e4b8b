"""[reference] Every container's image is an image reference.

Why: a blank or a missing tag ends in InvalidImageName, which Kubeflow's form never shows (kubeflow/kubeflow#6621).
Looks at: the image of every container, of all lists, and those that volumes are. Action: always Deny.
"""

from collections.abc import Iterator

from webhook.core.actions import Action
from webhook.core.rules.violation import ImageUse, Violation


def judge(use: ImageUse, spec_path: str) -> Iterator[Violation]:
    """Find an image that is not a reference."""
    if use.reference is None:
        yield Violation(
            rule="reference",
            action=Action.DENY,
            message=use.problem,
            field=f"{spec_path}{use.container.image_path}",
            use=use,
        )
