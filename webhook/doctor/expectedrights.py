"""What each service account may do, and what it must not: a test proves the first equal to deploy/'s Roles."""

from collections.abc import Iterator
from dataclasses import dataclass

from webhook.doctor.place import CONTROLLER, PROBE_NAMESPACE, WEBHOOK, Certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One verb on one kind; `namespace` is empty for the whole cluster, `name` for objects of any name."""

    account: str
    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}{f'.{self.group}' if self.group else ''}"
        kind += f"/{self.subresource}" if self.subresource else ""
        which = f" {self.name}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {kind}{which}{where}"


@dataclass(frozen=True, slots=True)
class _Grant:
    """A line of a Role: verbs, `resource.group/subresource`, and the names that it is limited to."""

    verbs: str
    kind: str
    names: str = ""


# The request path reads what it decides by, asks for scans, and reads one Secret; it writes no status.
_WEBHOOK = (
    _Grant("list watch create", "imagescans.nbgate.dev"),
    _Grant("list watch", "notebookpolicies.nbgate.dev"),
    _Grant("list watch", "namespaces"),
)
_WEBHOOK_AT_HOME = (_Grant("get", "secrets", "nbgate-tls"),)

_CONTROLLER = (
    _Grant("get list watch delete", "imagescans.nbgate.dev"),
    _Grant("update", "imagescans.nbgate.dev/status"),
    _Grant("list watch", "notebookpolicies.nbgate.dev"),
    _Grant("update", "notebookpolicies.nbgate.dev/status"),
    _Grant("list", "pods"),
    _Grant("list", "statefulsets.apps"),
    _Grant("patch", "statefulsets.apps/status"),
    _Grant("get list", "notebooks.kubeflow.org"),
    _Grant("list watch create", "events"),
)
_CONTROLLER_AT_HOME = (_Grant("get update", "leases.coordination.k8s.io", "nbgate-controller"),)
# Only where it issues certificates itself.
_CERTIFICATES = (
    _Grant("get update", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "nbgate"),
    _Grant("get update", "validatingwebhookconfigurations.admissionregistration.k8s.io", "nbgate"),
)
_CERTIFICATES_AT_HOME = (
    _Grant("get update", "secrets", "nbgate-tls nbgate-ca"),
    _Grant("get", "endpoints", "nbgate"),
)
_CONTROLLER_AT_PROBES = (
    _Grant("get", "namespaces", PROBE_NAMESPACE),
    _Grant("get", "serviceaccounts"),
    _Grant("get", "networkpolicies.networking.k8s.io"),
    _Grant("create get list delete", "pods"),
    _Grant("get", "pods/log"),
    _Grant("get create", "pods/portforward"),
)

# Who takes over a replica must not get further: verdicts forged, keys of others read, code started.
_NOT_WEBHOOK = (
    _Grant("get list", "secrets"),
    _Grant("update patch", "imagescans.nbgate.dev/status"),
    _Grant("update delete", "imagescans.nbgate.dev"),
    _Grant("create update", "notebookpolicies.nbgate.dev"),
    _Grant("update patch", "validatingwebhookconfigurations.admissionregistration.k8s.io"),
    _Grant("create", "pods"),
    _Grant("update patch", "namespaces"),
)
_NOT_CONTROLLER = (
    _Grant("get list", "secrets"),
    _Grant("create update", "notebookpolicies.nbgate.dev"),
    _Grant("update patch", "statefulsets.apps"),
    _Grant("delete", "validatingwebhookconfigurations.admissionregistration.k8s.io"),
    _Grant("create delete", "pods"),
    _Grant("create", "pods/exec"),
    _Grant("update patch", "namespaces"),
)


def needed(namespace: str, certificates: Certificates) -> Iterator[Right]:
    """Give what each account needs, with the installation in this namespace."""
    yield from _rights(WEBHOOK, _WEBHOOK, "")
    yield from _rights(WEBHOOK, _WEBHOOK_AT_HOME, namespace)
    yield from _rights(CONTROLLER, _CONTROLLER, "")
    yield from _rights(CONTROLLER, _CONTROLLER_AT_HOME, namespace)
    yield from _rights(CONTROLLER, _CONTROLLER_AT_PROBES, PROBE_NAMESPACE)
    if certificates == "self":
        yield from _rights(CONTROLLER, _CERTIFICATES, "")
        yield from _rights(CONTROLLER, _CERTIFICATES_AT_HOME, namespace)


def forbidden(namespace: str) -> Iterator[Right]:
    """Give what no account may have: in all of the cluster, and among the Secrets at home the CA's for the webhook."""
    yield from _rights(WEBHOOK, _NOT_WEBHOOK, "")
    yield from _rights(WEBHOOK, (_Grant("get", "secrets", "nbgate-ca"),), namespace)
    yield from _rights(CONTROLLER, _NOT_CONTROLLER, "")


def _rights(account: str, grants: tuple[_Grant, ...], namespace: str) -> Iterator[Right]:
    for grant in grants:
        kind, _, subresource = grant.kind.partition("/")
        resource, _, group = kind.partition(".")
        for verb in grant.verbs.split():
            for name in grant.names.split() or [""]:
                yield Right(
                    account=account,
                    verb=verb,
                    group=group,
                    resource=resource,
                    subresource=subresource,
                    namespace=namespace,
                    name=name,
                )
