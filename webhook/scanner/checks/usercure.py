"""What to add to a Containerfile so that its image runs as jovyan, UID 1000, at home in /home/jovyan.

It depends on who is there already: useradd refuses a UID that is taken, and Ubuntu has a user 1000 since 24.04.
"""

from webhook.core.words import cut
from webhook.scanner.checks.imageuser import passwd_lines
from webhook.scanner.checks.seen import HOME, Seen

_NAME_LIMIT = 32  # what useradd takes; more is a stranger's joke


def user_cure(seen: Seen) -> str:
    """Give the instructions, as the end of a sentence."""
    lines = passwd_lines(seen.files.passwd or b"")
    taken = next((name for name, uid, _ in lines if uid == 1000), None)
    jovyan = next(((uid, home) for name, uid, home in lines if name == "jovyan"), None)
    if taken == "jovyan" and jovyan is not None:
        moved = "" if jovyan[1].rstrip("/") == HOME else f' "RUN usermod --home {HOME} jovyan" and'
        return f'add{moved} "USER 1000"'
    if jovyan is not None and taken is None:
        return 'add "RUN usermod --uid 1000 jovyan" and "USER 1000"'
    if jovyan is None and taken is not None:
        rename = f"usermod --login jovyan --home {HOME} --move-home {cut(taken, _NAME_LIMIT)}"
        return f'add "RUN {rename}" and "USER 1000"'
    if jovyan is not None:
        return f'give jovyan the UID 1000 that {cut(taken or "", _NAME_LIMIT)} has, and add "USER 1000"'
    return 'add "RUN useradd --uid 1000 --create-home jovyan" and "USER 1000"'
