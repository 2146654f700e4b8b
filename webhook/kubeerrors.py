"""What can go wrong with the API server, in words for people.

KubeError              one line: what was asked, what is wrong, the cure
├── NotConfigured      no kubeconfig, or one that cannot be used
├── Unreachable        no answer in time, or none that is an API server's; worth another try later
│   └── TooLong        the answer is longer than what is read of one
├── Forbidden          our account may not do it; names the verb and the resource
├── NotFound           there is no such object, or no such kind
├── Conflict           it exists already, or somebody changed it since it was read
├── Expired            what was listed is too old to be continued or watched from; list again
└── Refused            the API server does not take it: invalid, over a quota, denied by an admission webhook
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from webhook.core.words import cut

_MESSAGE_LIMIT = 400  # characters of what the API server says; a webhook's denial has at most 1 KiB
# How RBAC says no (apiserver, endpoints/handlers/responsewriters, forbiddenMessage); quotas, pod security and webhooks
# answer 403 too, but then it is the object that is not wanted.
_NOT_ALLOWED = re.compile(r'User "(?P<user>[^"]*)" cannot ')


class KubeError(Exception):
    """The cluster did not do what was asked; the message is one printable line."""


class NotConfigured(KubeError):
    """It is not known which cluster to speak to, or as whom."""


class Unreachable(KubeError):
    """The API server gave no answer, or a broken one."""


class TooLong(Unreachable):
    """An answer is longer than what is read of one; of a list, smaller parts can be asked for."""


class Forbidden(KubeError):
    """Our account may not do that."""


class NotFound(KubeError):
    """There is no such object or kind."""


class Conflict(KubeError):
    """It exists already, or was changed meanwhile."""


class Expired(KubeError):
    """A resourceVersion or a continued list is too old."""


class Refused(KubeError):
    """The API server does not take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of object as the API server addresses it; `group` is empty for the core's."""

    group: str
    version: str
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in the words of Roles: `create pods in namespace nbgate-probes`."""

    verb: str
    resource: Resource
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    @property
    def kind(self) -> str:
        """What a Role calls it: `pods/log`, `networkpolicies.networking.k8s.io`."""
        group = f".{self.resource.group}" if self.resource.group else ""
        return f"{self.resource.name}{group}" + (f"/{self.subresource}" if self.subresource else "")

    @property
    def path(self) -> str:
        """Where the API server has it; that of the collection where there is no name."""
        resource = self.resource
        parts = ["apis", resource.group] if resource.group else ["api"]
        parts.append(resource.version)
        parts += ["namespaces", self.namespace] if self.namespace else []
        parts += [part for part in (resource.name, self.name, self.subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.kind}{name}{where}"


def refusal(asked: Asked, status: int, body: bytes) -> KubeError:
    """Make an error of an answer other than success; its body is a Status, or anything where no API server answered."""
    told = _told(body)
    message, reason = str(told.get("message") or ""), str(told.get("reason"))
    said = cut(message, _MESSAGE_LIMIT) or f"HTTP {status}"
    match status:
        case 401:
            return Forbidden(f"cannot {asked}: the API server does not know us; log in again")
        case 403 if match := _NOT_ALLOWED.search(message):
            return Forbidden(_not_allowed(asked, match["user"]))
        case 404:
            return NotFound(f"cannot {asked}: {said}")
        case 409 if reason in {"AlreadyExists", "Conflict"}:
            return Conflict(f"cannot {asked}: {said}")
        case 410:
            return Expired(f"cannot {asked}: {said}; list again")
        case _ if 400 <= status < 500 and status != 429 and told:
            return Refused(f"cannot {asked}: {said}")
    return Unreachable(f"cannot {asked}: the API server answers {status}, {said}; try again later")


def _not_allowed(asked: Asked, user: str) -> str:
    role = "Role" if asked.namespace else "ClusterRole"
    return f"cannot {asked}: {cut(user, 100)} may not; give it a {role} with verb {asked.verb} on {asked.kind}"


def _told(body: bytes) -> dict[str, Any]:
    """Read a Status; nothing where it is none."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) and told.get("kind") == "Status" else {}


def unreachable(asked: Asked, host: str, error: BaseException) -> Unreachable:
    """Say that there was no answer, and why."""
    # Errors of transport show objects and nest their causes: the innermost says it.
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    why = cut(str(cause) or type(cause).__name__, 200)
    return Unreachable(f"cannot {asked}: no answer from {cut(host, 100)} ({why}); is it reachable?")
