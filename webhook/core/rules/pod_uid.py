"""[pod-uid] The notebook's container runs as the policy's user, UID 1000.

Why: the workspace volume belongs to UID 1000; another user cannot write it, and root should not.
Looks at: runAsUser of the notebook's container, else of the pod. Action: Deny, when the policy asks for that patch.
"""

from webhook.core.target import Target


def problem(target: Target, uid: int) -> tuple[str, str] | None:
    """Give the field and what is wrong with it, or None."""
    effective = target.effective_user
    if effective == uid:
        return None
    message = f"runAsUser must be {uid}, not {effective}: remove it from the securityContext"
    if effective is None:
        message = f"runAsUser must be {uid}, and is not set"
    return "securityContext.runAsUser", message
