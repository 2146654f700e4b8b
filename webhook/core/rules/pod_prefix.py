"""[pod-prefix] The notebook's container has one NB_PREFIX, with the path that Kubeflow routes to it.

Why: notebook-controller leaves a user's wrong value as it is (v1.5 to the newest), and the server then answers 404.
Looks at: env of the notebook's container. Action: Deny, when the policy asks for that patch.
"""

from webhook.core.patch import PREFIX_VARIABLE, prefix_of
from webhook.core.target import Target


def problem(target: Target) -> tuple[str, str] | None:
    """Give the field and what is wrong with it, or None."""
    values = [e.value for e in target.container.env or () if e.name == PREFIX_VARIABLE]
    wanted = prefix_of(target.namespace, target.notebook)
    if values == [wanted]:
        return None
    return "env", f"{PREFIX_VARIABLE} must be set once, to {wanted}"
