"""Who an image runs as: its config's user, looked up in its /etc/passwd as container runtimes do.

Source: opencontainers/image-spec config.md, `User`; moby/sys user.GetExecUser: the first line whose name or whose UID
is what was written is the user; a name that is not there cannot be started, a number runs without a name.
"""

from dataclasses import dataclass

from webhook.core.scan import Evidence
from webhook.scanner.checks.seen import Seen

# The largest UID that runtimes accept (moby/sys user: maxID).
_MAX_UID = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUser:
    """A user as far as it is known.

    Attributes:
        written: what the config says, without a group: empty, a name or a number.
        name, uid, home: None where /etc/passwd does not tell.
        evidence: what `name` and `home` are known from.
        unknown: why /etc/passwd could not be consulted, as a clause; empty where it was.
    """

    written: str
    name: str | None
    uid: int | None
    home: str | None
    evidence: Evidence
    unknown: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the config names the user by number."""
        return _number(self.written) is not None

    @property
    def shown(self) -> str:
        """The user in words."""
        return f"user {self.written}" if self.written else "user root (the image sets none)"


def image_user(seen: Seen) -> ImageUser:
    """Find out who the image runs as."""
    written = seen.config.user.partition(":")[0]
    wanted = written or "0"
    number = _number(wanted)
    if seen.files.passwd_link is not None:
        unknown = f"/etc/passwd is a link to {seen.files.passwd_link}, which is not followed"
        name = None if number is not None else wanted
        return ImageUser(
            written=written, name=name, uid=number, home=None, evidence="Layers", unknown=unknown
        )
    for name, uid, home in _lines(seen.files.passwd or b""):
        if name == wanted or (number is not None and uid == number):
            return ImageUser(written=written, name=name, uid=uid, home=home, evidence="Layers")
    if wanted in {"0", "root"}:
        # without a line for it the kernel's own meaning remains
        return ImageUser(written=written, name="root", uid=0, home=None, evidence="Config")
    name = None if number is not None else wanted
    return ImageUser(written=written, name=name, uid=number, home=None, evidence="Layers")


def _number(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_UID:
        return int(text)
    return None


def _lines(passwd: bytes) -> list[tuple[str, int, str]]:
    """Read passwd(5) lines as (name, UID, home); what is no such line is passed over, as runtimes do."""
    users = []
    for line in passwd.decode("utf-8", "replace").splitlines():
        fields = line.strip().split(":")
        if len(fields) >= 6 and (uid := _number(fields[2])) is not None:
            users.append((fields[0], uid, fields[5]))
    return users
