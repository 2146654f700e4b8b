"""[pod-home] Something is mounted at the notebook's home.

Why: without a volume every file is gone when the notebook stops, and an image's own home may not be writable.
Looks at: volumeMounts of the notebook's container. Action: Deny, when the policy asks for that patch and there is a
volume that it can mount: with `fallback: None` and no claim there is not.
"""

from webhook.core.homevolume import home_claim, home_is_mounted
from webhook.core.policy import Home
from webhook.core.target import Target


def problem(target: Target, home: Home) -> tuple[str, str] | None:
    """Give the field and what is wrong with it, or None."""
    if home_is_mounted(target.container, home):
        return None
    if home.fallback == "EmptyDir" or home_claim(target, home) is not None:
        return "volumeMounts", f"nothing is mounted at {home.path}"
    return None
