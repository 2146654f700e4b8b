"""[pod-uid] The notebook's container runs as the policy's user, UID 1000.

Why: the workspace volume belongs to UID 1000; another user cannot write it, and root should not.
Looks at: runAsUser of the notebook's container, else of the pod. Action: Deny, when the policy asks for that patch.
"""

from collections.abc import Iterator

from webhook.core.target import Target


def problem(target: Target, uid: int) -> Iterator[tuple[str, str]]:
    """Yield the field and what is wrong with it."""
    effective = target.effective_user
    if effective is None:
        yield "securityContext.runAsUser", f"runAsUser must be {uid}, and is not set"
    elif effective != uid:
        message = f"runAsUser must be {uid}, not {effective}: remove it from the securityContext"
        yield "securityContext.runAsUser", message
