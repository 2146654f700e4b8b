"""Who an image runs as: its config's user, looked up in its /etc/passwd as container runtimes do.

Source: opencontainers/image-spec config.md, `User`; moby/sys user, GetExecUser and ParsePasswdFilter, which containerd,
CRI-O, Docker and podman share: a number is a UID and never a name; the first line that has it is the user; a name that
is not there cannot be started, a number runs without a name. Lines are read as it reads them, for whoever reads them
otherwise takes another line for the first: only a line feed ends one, fields that are missing are empty, and a UID that
is no number is 0.
"""

import re
from dataclasses import dataclass

from webhook.core.scan import Evidence
from webhook.scanner.checks.seen import Seen

# Go, strconv.Atoi. What is beyond 64 bits is no number as a user, and the largest as a UID: both are never 1000.
_NUMBER = re.compile(r"[+-]?[0-9]{1,64}", re.ASCII)
# Go, unicode.IsSpace, as far as Python's strip() would take more: FS, GS, RS and US are no blanks there.
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


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
    for name, uid, home in passwd_lines(seen.files.passwd or b""):
        if uid == number if number is not None else name == wanted:
            return ImageUser(written=written, name=name, uid=uid, home=home, evidence="Layers")
    if number == 0 or wanted == "root":
        # without a line for it the kernel's own meaning remains
        return ImageUser(written=written, name="root", uid=0, home=None, evidence="Config")
    name = None if number is not None else wanted
    return ImageUser(written=written, name=name, uid=number, home=None, evidence="Layers")


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def passwd_lines(passwd: bytes) -> list[tuple[str, int, str]]:
    """Read passwd(5) lines as (name, UID, home)."""
    users = []
    for line in passwd.decode("utf-8", "replace").split("\n"):
        stripped = line.strip(_BLANKS)
        if stripped:
            name, _, uid, _, _, home = [*stripped.split(":"), "", "", "", "", ""][:6]
            users.append((name, _number(uid) or 0, home))
    return users
