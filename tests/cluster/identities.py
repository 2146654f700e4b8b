"""Who the tests can be to the API server."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user of the API server, known by a bearer token."""

    token: str
    user: str
    groups: tuple[str, ...]


ADMIN = Identity(token="admin", user="admin", groups=("system:masters",))
ALICE = Identity(token="alice", user="alice@example.com", groups=("team-a",))


def token_file(*identities: Identity) -> str:
    """Return the text of kube-apiserver's --token-auth-file: token, user, UID, "groups"."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(
        (one.token, one.user, f"uid-{one.user}", ",".join(one.groups)) for one in identities
    )
    return text.getvalue()
