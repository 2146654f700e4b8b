"""[home-jovyan] The home of the image's user is /home/jovyan.

Why: Kubeflow mounts the notebook's volume there; what is saved elsewhere is lost with the pod. Looks at: /etc/passwd,
and HOME in the config's environment, which programs believe rather than /etc/passwd.
"""

from webhook.core.scan import Check
from webhook.scanner.checks.imageuser import image_user
from webhook.scanner.checks.seen import HOME, Seen, found
from webhook.scanner.checks.usercure import user_cure


def check(seen: Seen) -> Check:
    """Decide it; Unknown where /etc/passwd is a link."""
    variable = seen.config.env.get("HOME")
    if variable is not None and _plain(variable) != HOME:
        message = f'its environment sets HOME to {variable}: write "ENV HOME={HOME}"'
        return found("home-jovyan", "Fail", "Config", message)
    user = image_user(seen)
    if user.unknown:
        return found("home-jovyan", "Unknown", "Layers", f"{user.unknown}: make it a file")
    who = user.name or user.shown
    if user.home is None:
        message = f"{who} has no home in /etc/passwd: {user_cure(seen)}"
        return found("home-jovyan", "Fail", "Layers", message)
    if _plain(user.home) != HOME:
        message = f"{who}'s home is {user.home or 'empty'} in /etc/passwd: {user_cure(seen)}"
        return found("home-jovyan", "Fail", "Layers", message)
    return found("home-jovyan", "Pass", "Layers", f"{who}'s home is {HOME} in /etc/passwd")


def _plain(path: str) -> str:
    return path.rstrip("/") or path
