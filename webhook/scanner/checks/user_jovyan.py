"""[user-jovyan] The image's user is jovyan: by name, or by the name that its /etc/passwd gives the UID.

Why: Kubeflow's images, their scripts and what users install expect that name. Looks at: the config's user, /etc/passwd.
"""

from webhook.core.scan import Check
from webhook.scanner.checks.imageuser import image_user
from webhook.scanner.checks.seen import Seen, found
from webhook.scanner.checks.usercure import user_cure


def check(seen: Seen) -> Check:
    """Decide it; Unknown where /etc/passwd is a link."""
    user = image_user(seen)
    if user.name == "jovyan":
        by_name = not user.is_number
        message = (
            "its user is jovyan by name"
            if by_name
            else f"user {user.written} is jovyan in /etc/passwd"
        )
        return found("user-jovyan", "Pass", "Config" if by_name else "Layers", message)
    if user.unknown and user.name is None:
        return found("user-jovyan", "Unknown", "Layers", f"{user.unknown}: make it a file")
    cure = user_cure(seen)
    if user.name is None:
        message = f"{user.shown} has no name in /etc/passwd: {cure}"
    elif not user.written:
        message = f"the image sets no user, so it runs as {user.name}: {cure}"
    elif user.is_number:
        message = f"{user.shown} is {user.name} in /etc/passwd, not jovyan: {cure}"
    else:
        message = f"its user is {user.name}, not jovyan: {cure}"
    return found("user-jovyan", "Fail", user.evidence if user.is_number else "Config", message)
