"""The cluster's API server, for those who speak to it: the one importer of `kubernetes`.

That library reads kubeconfigs and the credentials of a pod, keeps tokens fresh and sets TLS up; what goes over the wire
are plain dicts. Every call has a deadline and a limit on what it reads. Nothing is shared between two `Kube`s. It is
imported when a cluster is asked for, because that takes a third of a second.
"""

import socket
import ssl
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import orjson

from webhook.core.words import cut
from webhook.kubeerrors import Asked, NotConfigured, Resource, Unreachable, refusal, unreachable

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

Document = dict[str, Any]

PODS = Resource(group="", version="v1", name="pods")
NAMESPACES = Resource(group="", version="v1", name="namespaces")
SERVICE_ACCOUNTS = Resource(group="", version="v1", name="serviceaccounts")
NETWORK_POLICIES = Resource(group="networking.k8s.io", version="v1", name="networkpolicies")
IMAGE_SCANS = Resource(group="nbgate.dev", version="v1alpha1", name="imagescans")

SECONDS = 35.0  # for one answer: the API server itself waits up to 30 for an admission webhook
ANSWER_LIMIT = (
    16 << 20
)  # bytes: the pods of a namespace. One object has at most 1.5 MiB, etcd's limit
_STATUS_LIMIT = 1 << 20  # bytes of an answer that is no success
_SUCCESS = range(200, 300)
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
    # Refreshed tokens stay in memory: a scan has no business in the user's files.
    config.load_kube_config(kubeconfig, context, configuration, persist_config=False)


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
        self, resource: Resource, document: Document, namespace: str | None = None
    ) -> Document:
        """Create an object; give it as it was stored. Raises Conflict where it exists already."""
        return self._ask("POST", Asked("create", resource, namespace), document)

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Document:
        """Give an object. Raises NotFound."""
        return self._ask("GET", Asked("get", resource, namespace, name))

    def list(self, resource: Resource, namespace: str, labels: str) -> list[Document]:
        """Give the objects that a label selector chooses."""
        asked = Asked("list", resource, namespace)
        found = self._ask("GET", asked, query={"labelSelector": labels}).get("items")
        if not isinstance(found, list):
            raise self._no_api_server(asked)
        return found

    def replace(
        self, resource: Resource, document: Document, namespace: str | None = None, part: str = ""
    ) -> Document:
        """Replace an object, or the `part` of it that is a subresource, by what carries its resourceVersion.

        Raises Conflict where somebody changed it since it was read.
        """
        asked = Asked("update", resource, namespace, document["metadata"]["name"], part)
        return self._ask("PUT", asked, document)

    def delete(self, resource: Resource, name: str, namespace: str | None, *, grace: int) -> None:
        """Let an object be deleted; a pod's containers have `grace` seconds to end. Raises NotFound."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace}
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
    ) -> Document:
        body = self._send(method, asked, document, query or {}, ANSWER_LIMIT)
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
    ) -> bytes:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see `connect`

        url = self._host + asked.path + (f"?{urlencode(query)}" if query else "")
        headers = {**self._authorization(asked), "Content-Type": "application/json"}
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                url,
                body=orjson.dumps(document) if document is not None else None,
                headers={**headers, "Accept": "application/json, */*"},
                timeout=SECONDS,
                redirect=False,
                preload_content=False,
            )
            try:
                status: int = answer.status
                body: bytes = answer.read(max(limit, _STATUS_LIMIT) + 1)
            finally:
                answer.close()
        except (HTTPError, OSError) as error:
            raise unreachable(asked, self._host, error) from error
        if status not in _SUCCESS:
            raise refusal(asked, status, body)
        if len(body) > limit:
            raise Unreachable(
                f"cannot {asked}: the answer has more than {limit} bytes; remove objects that are not needed"
            )
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
