"""[uid-1000] The UID of the image's user is 1000.

Why: nbgate and Kubeflow run it as 1000; what belongs to another UID it may not read or write. Looks at: the config's
user, /etc/passwd where that is a name.
"""

from webhook.core.scan import Check
from webhook.scanner.checks.imageuser import ImageUser, image_user
from webhook.scanner.checks.seen import Seen, found
from webhook.scanner.checks.usercure import user_cure


def check(seen: Seen) -> Check:
    """Decide it; Unknown where the user is a name and /etc/passwd is a link."""
    user = image_user(seen)
    evidence = "Config" if user.is_number else user.evidence
    if user.uid == 1000:
        return _pass(user)
    if user.uid is not None:
        name = user.name if user.name and not user.is_number else user.written or "root"
        return found(
            "uid-1000", "Fail", evidence, f"user {name} has UID {user.uid}: {user_cure(seen)}"
        )
    if user.unknown:
        return found(
            "uid-1000", "Unknown", "Layers", f'{user.unknown}: make it a file, or add "USER 1000"'
        )
    return found(
        "uid-1000",
        "Fail",
        "Layers",
        f"user {user.written} is not in /etc/passwd, so nothing can start it: {user_cure(seen)}",
    )


def _pass(user: ImageUser) -> Check:
    if user.name is None:
        return found("uid-1000", "Pass", "Config", "its user is 1000")
    if user.is_number:
        message = f"user {user.written} is {user.name} in /etc/passwd"
    else:
        message = f"user {user.name} has UID 1000 in /etc/passwd"
    return found("uid-1000", "Pass", "Layers", message)
