"""The cluster's API server, for those who speak to it: the one importer of `kubernetes`.

That library reads kubeconfigs and the credentials of a pod, keeps tokens fresh and sets TLS up; what goes over the wire
are plain dicts. Every call has a deadline and a limit on what it reads. Nothing is shared between two `Kube`s. It is
imported when a cluster is asked for, because that takes a third of a second.
"""

import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlencode

import orjson

from webhook.core.words import cut
from webhook.kubeerrors import (
    Asked,
    NotConfigured,
    Resource,
    TooLong,
    Unreachable,
    refusal,
    unreachable,
)
from webhook.kubelist import BrokenList, ListReader

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

Document = dict[str, Any]

PODS = Resource(group="", version="v1", name="pods")
NAMESPACES = Resource(group="", version="v1", name="namespaces")
SERVICE_ACCOUNTS = Resource(group="", version="v1", name="serviceaccounts")
NETWORK_POLICIES = Resource(group="networking.k8s.io", version="v1", name="networkpolicies")
IMAGE_SCANS = Resource(group="nbgate.dev", version="v1alpha1", name="imagescans")
NOTEBOOK_POLICIES = Resource(group="nbgate.dev", version="v1alpha1", name="notebookpolicies")
NOTEBOOKS = Resource(group="kubeflow.org", version="v1", name="notebooks")
STATEFUL_SETS = Resource(group="apps", version="v1", name="statefulsets")
DEPLOYMENTS = Resource(group="apps", version="v1", name="deployments")
SECRETS = Resource(group="", version="v1", name="secrets")
SERVICES = Resource(group="", version="v1", name="services")
ENDPOINTS = Resource(group="", version="v1", name="endpoints")
EVENTS = Resource(group="", version="v1", name="events")
LEASES = Resource(group="coordination.k8s.io", version="v1", name="leases")
MUTATING_CONFIGURATIONS = Resource(
    group="admissionregistration.k8s.io", version="v1", name="mutatingwebhookconfigurations"
)
VALIDATING_CONFIGURATIONS = Resource(
    group="admissionregistration.k8s.io", version="v1", name="validatingwebhookconfigurations"
)
DEFINITIONS = Resource(group="apiextensions.k8s.io", version="v1", name="customresourcedefinitions")
SELF_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io", version="v1", name="selfsubjectaccessreviews"
)
ACCESS_REVIEWS = Resource(group="authorization.k8s.io", version="v1", name="subjectaccessreviews")

SECONDS = 35.0  # for one answer: the API server itself waits up to 30 for an admission webhook
ANSWER_LIMIT = (
    16 << 20
)  # bytes: the pods of a namespace. One object has at most 1.5 MiB, etcd's limit
PAGE = 500  # objects of a list at a time, as kubectl asks for
# bytes of one event: etcd takes 1.5 MiB of an object, and the API server writes it as JSON
_EVENT_LIMIT = 8 << 20
_CHUNK = 64 << 10
_STATUS_LIMIT = 1 << 20  # bytes of an answer that is no success
_SUCCESS = range(200, 300)
# For a list out of its cache: 50,000 scans take the API server some 5 s before the first byte, twice that when it is
# busy; it gives up after 60 itself (--request-timeout).
_LIST_SECONDS = 60.0
LIST_LIMIT = 1 << 30  # bytes of such a list: half a million scans, more than anybody holds
_WATCH_SPARE = 10.0  # seconds that the API server may be late in ending a watch
_EVENTS = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})
_VERSION = Resource(group="", version="", name="version")
# Kubernetes mounts it beside a pod's token (admission plug-in ServiceAccount).
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# The library's modules import one another on first use: of two threads that begin together one would see half of it.
_IMPORTING = threading.Lock()


def connect(*, kubeconfig: str | None = None, context: str | None = None) -> "Kube":
    """Find the cluster: the one that this pod runs in, else that of a kubeconfig, as kubectl does.

    With a `kubeconfig` (one path or several, as in the variable KUBECONFIG) or a `context` of it, that one.

    Raises NotConfigured.
    """
    with _IMPORTING:
        # Here, so that commands without a cluster do not pay for it.
        from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415 - see above
        from kubernetes.config import ConfigException  # noqa: PLC0415 - see above
        from yaml import YAMLError  # noqa: PLC0415 - see above

    configuration = Configuration()
    # One deadline is one deadline: urllib3 would try three times more, and would follow redirects with our token.
    configuration.retries = False
    try:
        _load(configuration, kubeconfig, context)
    except (ConfigException, YAMLError, OSError, ValueError, TypeError, AttributeError) as error:
        which = kubeconfig or "the kubeconfig"
        raise NotConfigured(
            f"{which} names no cluster to use ({cut(str(error), 200)}); set KUBECONFIG to a file that "
            "`kubectl get pods` works with"
        ) from error
    return Kube(ApiClient(configuration))


def _load(configuration: "Configuration", kubeconfig: str | None, context: str | None) -> None:
    from kubernetes import config as untyped  # noqa: PLC0415 - see `connect`

    config: Any = untyped
    if kubeconfig is None and context is None:
        try:
            config.load_incluster_config(configuration)
        except config.ConfigException:
            pass  # not in a pod
        else:
            return
    # The library itself reads the variable once, when it is first imported.
    file = kubeconfig or os.environ.get("KUBECONFIG") or None
    # Refreshed tokens stay in memory: a scan has no business in the user's files.
    config.load_kube_config(file, context, configuration, persist_config=False)


def own_namespace() -> str | None:
    """Give the namespace of the pod that this is, or None outside of a cluster."""
    try:
        return _OWN_NAMESPACE.read_text().strip() or None
    except (OSError, ValueError):
        return None


def context_namespace() -> str | None:
    """Give the namespace of the kubeconfig's current context, or None where it names none."""
    with _IMPORTING:
        from kubernetes import config as untyped  # noqa: PLC0415 - see `connect`
        from yaml import YAMLError  # noqa: PLC0415 - see `connect`

    config: Any = untyped
    try:
        _, current = config.list_kube_config_contexts()
        return current["context"].get("namespace") or None
    except (config.ConfigException, YAMLError, OSError, ValueError, TypeError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; `version` is the resourceVersion of the whole, the same in every part."""

    items: Sequence[Document]
    version: str


@dataclass(frozen=True, slots=True)
class Event:
    """One change that a watch tells of; of a BOOKMARK, only the object's resourceVersion is there."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Document


class Kube:
    """The API server of one cluster, as one account; threads may share it. Every method raises KubeError."""

    def __init__(self, client: "ApiClient") -> None:
        self._client: Any = client  # half of its methods have no types

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(
        self,
        resource: Resource,
        document: Document,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Document:
        """Create an object; give it as it was stored. Raises Conflict where it exists already."""
        query = {"dryRun": "All"} if dry_run else None
        return self._ask("POST", Asked("create", resource, namespace), document, query=query)

    def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        seconds: float = SECONDS,
    ) -> Document:
        """Give an object; `seconds` are for each wait. Raises NotFound."""
        return self._ask("GET", Asked("get", resource, namespace, name), seconds=seconds)

    def list(self, resource: Resource, namespace: str, labels: str) -> list[Document]:
        """Give the objects that a label selector chooses."""
        asked = Asked("list", resource, namespace)
        found = self._ask("GET", asked, query={"labelSelector": labels}).get("items")
        if not isinstance(found, list):
            raise self._no_api_server(asked)
        return found

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        size: int = PAGE,
    ) -> Iterator[Page]:
        """Give all objects, of one namespace or of all, part by part; at least one part, which may be empty.

        `labels` and `fields` are selectors. A part with more bytes than we read is asked for again with half as many
        objects, down to one: an object may have 1.5 MiB, and whoever wants us never to read a list would only have to
        make a few of those. Raises Expired where it took so long that the rest is not to be had.
        """
        asked = Asked("list", resource, namespace)
        query: dict[str, Any] = {"limit": size, **_selectors(labels, fields)}
        while True:
            try:
                body = self._send("GET", asked, None, query, ANSWER_LIMIT)
            except TooLong:
                if query["limit"] == 1:
                    raise
                query["limit"] //= 2
                continue
            if len(body) < ANSWER_LIMIT // 4:
                query["limit"] = min(2 * query["limit"], size)
            found = self._read(asked, body)
            items, meta = found.get("items"), found.get("metadata")
            if not isinstance(items, list) or not isinstance(meta, dict):
                raise self._no_api_server(asked)
            yield Page(items, str(meta.get("resourceVersion", "")))
            if not meta.get("continue"):
                return
            query["continue"] = meta["continue"]

    def cached(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        version: str = "0",
        labels: str = "",
        fields: str = "",
    ) -> Iterator[Page]:
        """Give all objects as the API server's cache has them, part by part as they come.

        That costs it a third of what `pages` does, which has every object read from etcd and parsed. How old the state
        is, nobody knows: not older than `version`, where that is no "0". The last part has the version of the whole,
        the others have none. Raises Unreachable, too, where the cache is older than `version`.
        """
        asked = Asked("list", resource, namespace)
        query = {"resourceVersion": version, **_selectors(labels, fields)}
        answer = self._open("GET", asked, None, query, _LIST_SECONDS)
        try:
            if answer.status not in _SUCCESS:
                raise refusal(asked, answer.status, self._body(asked, answer, _STATUS_LIMIT))
            yield from self._parts(asked, answer)
        finally:
            answer.close()

    def _parts(self, asked: Asked, answer: Any) -> Iterator[Page]:
        reader, read = ListReader(), 0
        try:
            for chunk in self._chunks(asked, answer):
                read += len(chunk)
                if read > LIST_LIMIT:
                    raise Unreachable(f"cannot {asked}: the list has more than {LIST_LIMIT} bytes")
                found = reader.feed(chunk)
                if found or reader.done:
                    yield Page(found, reader.version if reader.done else "")
        except BrokenList as error:
            raise self._no_api_server(asked) from error
        if not reader.done or not reader.version:
            raise self._no_api_server(asked)

    def _chunks(self, asked: Asked, answer: Any) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see `connect`

        try:
            yield from answer.stream(_CHUNK)
        except (HTTPError, OSError) as error:
            raise unreachable(asked, self._host, error) from error

    @contextmanager
    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        version: str,
        seconds: int,
        labels: str = "",
        fields: str = "",
    ) -> Iterator[Iterator[Event]]:
        """Hold a watch of what changes after a resourceVersion; the API server ends it after `seconds`.

        Entering means that the API server has accepted it. Raises Expired, there or while events come, where the
        version is too old, and Unreachable where the line breaks or nothing ends it in time.
        """
        asked = Asked("watch", resource, namespace)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": seconds,
            **_selectors(labels, fields),
        }
        answer = self._open("GET", asked, None, query, seconds + _WATCH_SPARE)
        try:
            if answer.status not in _SUCCESS:
                raise refusal(asked, answer.status, self._body(asked, answer, _STATUS_LIMIT))
            yield self._events(asked, answer)
        finally:
            answer.close()

    def _events(self, asked: Asked, answer: Any) -> Iterator[Event]:
        held = b""
        for chunk in self._chunks(asked, answer):
            *lines, held = (held + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield self._event(asked, line)
            if len(held) > _EVENT_LIMIT:
                raise Unreachable(f"cannot {asked}: an event has more than {_EVENT_LIMIT} bytes")

    def _event(self, asked: Asked, line: bytes) -> Event:
        try:
            told = orjson.loads(line)
            kind, content = told["type"], told["object"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise self._no_api_server(asked) from error
        if kind in _EVENTS and isinstance(content, dict):
            return Event(kind, content)
        if kind == "ERROR" and isinstance(content, dict):
            code = content.get("code")
            raise refusal(asked, code if isinstance(code, int) else 500, orjson.dumps(content))
        raise self._no_api_server(asked)

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Document,
        namespace: str | None = None,
        part: str = "",
    ) -> Document:
        """Change fields of an object by a JSON merge patch (RFC 7386). Raises NotFound."""
        asked = Asked("patch", resource, namespace, name, part)
        return self._ask("PATCH", asked, patch)

    def version(self) -> tuple[int, int]:
        """Give the API server's (major, minor) version."""
        asked = Asked("get", _VERSION)
        body = self._send("GET", asked, None, {}, _STATUS_LIMIT, path="/version")
        told = self._read(asked, body)
        try:
            # Some vendors append to the minor version, as in "27+".
            return int(told["major"]), int(str(told["minor"]).rstrip("+"))
        except (KeyError, TypeError, ValueError) as error:
            raise self._no_api_server(asked) from error

    def replace(
        self,
        resource: Resource,
        document: Document,
        namespace: str | None = None,
        part: str = "",
        *,
        seconds: float = SECONDS,
    ) -> Document:
        """Replace an object, or the `part` of it that is a subresource, by what carries its resourceVersion.

        `seconds` are for each wait. Raises Conflict where somebody changed it since it was read.
        """
        asked = Asked("update", resource, namespace, document["metadata"]["name"], part)
        return self._ask("PUT", asked, document, seconds=seconds)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        *,
        grace: int,
        seen: Document | None = None,
    ) -> None:
        """Let an object be deleted; a pod's containers have `grace` seconds to end. Raises NotFound.

        Of an object that was `seen`, only just that: raises Conflict where it has changed, or is another by its name.
        """
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace}
        if seen is not None:
            meta = seen["metadata"]
            options["preconditions"] = {key: meta[key] for key in ("uid", "resourceVersion")}
        self._ask("DELETE", Asked("delete", resource, namespace, name), options)

    def log(self, pod: str, namespace: str, *, lines: int, limit: int) -> bytes:
        """Give the last lines of a pod's output; where they are longer than `limit` bytes, their beginning."""
        asked = Asked("get", PODS, namespace, pod, "log")
        return self._send("GET", asked, None, {"tailLines": lines, "limitBytes": limit}, limit)

    def forward(self, pod: str, namespace: str, port: int, seconds: float) -> socket.socket:
        """Connect to a port of a running pod, where its own loopback interface has it.

        `seconds` are for getting there; afterwards the socket has no timeout. That nothing listens on the port shows
        only then: the connection ends at once.
        """
        asked = Asked("get", PODS, namespace, pod, "portforward")
        from webhook.portforward import NotUpgraded, dial  # noqa: PLC0415 - see `connect`

        configuration = self._client.configuration
        try:
            return dial(
                "ws" + self._host.removeprefix("http") + f"{asked.path}?ports={port}",
                self._authorization(asked),
                tls=_tls(configuration),
                server_name=configuration.tls_server_name,
                proxy=configuration.proxy,
                seconds=seconds,
            )
        except NotUpgraded as error:
            raise refusal(asked, error.status, error.body) from error
        except OSError as error:
            raise unreachable(asked, self._host, error) from error

    def _ask(
        self,
        method: str,
        asked: Asked,
        document: Document | None = None,
        query: Mapping[str, Any] | None = None,
        seconds: float = SECONDS,
    ) -> Document:
        body = self._send(method, asked, document, query or {}, ANSWER_LIMIT, seconds=seconds)
        return self._read(asked, body)

    def _read(self, asked: Asked, body: bytes) -> Document:
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise self._no_api_server(asked) from error
        if not isinstance(answer, dict):
            raise self._no_api_server(asked)
        return answer

    def _send(
        self,
        method: str,
        asked: Asked,
        document: Document | None,
        query: Mapping[str, Any],
        limit: int,
        path: str = "",
        seconds: float = SECONDS,
    ) -> bytes:
        answer = self._open(method, asked, document, query, seconds, path)
        try:
            body = self._body(asked, answer, max(limit, _STATUS_LIMIT))
        finally:
            answer.close()
        if answer.status not in _SUCCESS:
            raise refusal(asked, answer.status, body)
        if len(body) > limit:
            raise TooLong(
                f"cannot {asked}: the answer has more than {limit} bytes; remove objects that are not needed"
            )
        return body

    def _open(
        self,
        method: str,
        asked: Asked,
        document: Document | None,
        query: Mapping[str, Any],
        seconds: float,
        path: str = "",
    ) -> Any:
        """Send a request; give the answer before its body is read. `seconds` are for each wait."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see `connect`

        url = self._host + (path or asked.path) + (f"?{urlencode(query)}" if query else "")
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {**self._authorization(asked), "Content-Type": kind}
        try:
            return self._client.rest_client.pool_manager.request(
                method,
                url,
                body=orjson.dumps(document) if document is not None else None,
                headers={**headers, "Accept": "application/json, */*"},
                timeout=seconds,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise unreachable(asked, self._host, error) from error

    def _body(self, asked: Asked, answer: Any, limit: int) -> bytes:
        """Read an answer, and no more than one byte beyond the limit."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see `connect`

        try:
            body: bytes = answer.read(limit + 1)
        except (HTTPError, OSError) as error:
            raise unreachable(asked, self._host, error) from error
        return body

    @property
    def _host(self) -> str:
        return str(self._client.configuration.host).rstrip("/")

    def _authorization(self, asked: Asked) -> dict[str, str]:
        """Give our token; one that has expired is fetched anew, by a program that the kubeconfig names."""
        from kubernetes.config import ConfigException  # noqa: PLC0415 - see `connect`

        try:
            settings = self._client.configuration.auth_settings()
        except (ConfigException, OSError, ValueError) as error:
            raise unreachable(asked, self._host, error) from error
        return {one["key"]: one["value"] for one in settings.values() if one["in"] == "header"}

    def _no_api_server(self, asked: Asked) -> Unreachable:
        return Unreachable(
            f"cannot {asked}: {self._host} answers with something else; is it an API server?"
        )


def _selectors(labels: str, fields: str) -> dict[str, str]:
    selectors = {"labelSelector": labels, "fieldSelector": fields}
    return {key: value for key, value in selectors.items() if value}


def _tls(configuration: "Configuration") -> ssl.SSLContext:
    """Set TLS up for a WebSocket as the library does for its own requests (kubernetes.client.rest)."""
    # Not create_default_context: from Python 3.13 on that refuses many clusters' own authorities (VERIFY_X509_STRICT).
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif configuration.ssl_ca_cert:
        context.load_verify_locations(cafile=configuration.ssl_ca_cert)
    else:
        context.load_default_certs()
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
