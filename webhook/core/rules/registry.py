"""[registry] Every container's image comes from an allowed registry.

Why: a platform team vouches for what it can scan and pull; an init or ephemeral container runs as much as the notebook.
Looks at: the image of every container, of all lists, and those that volumes are. Action: `registries.action`; an empty
`allow` allows any.
"""

from collections.abc import Iterator

from webhook.core.policy import PolicySpec
from webhook.core.rules.violation import ImageUse, Violation


def judge(use: ImageUse, policy: PolicySpec, spec_path: str) -> Iterator[Violation]:
    """Find an image from a registry that is not allowed."""
    allow = policy.registries.allow
    if not allow or use.reference is None or use.matches(allow):
        return
    yield Violation(
        rule="registry",
        action=policy.registries.action,
        message=f"{use.reference.repository} is not in an allowed registry: use {_some(allow)}",
        field=f"{spec_path}{use.container.image_path}",
        use=use,
    )


def _some(allow: tuple[object, ...]) -> str:
    """Name the first three patterns: enough to act on, short enough for one line."""
    named = ", ".join(str(pattern) for pattern in allow[:3])
    return f"{named} or {len(allow) - 3} more" if len(allow) > 3 else named
