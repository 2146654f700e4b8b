"""The certificates of an installation that looks after them itself: a Duty of the leader.

What is to be done is decided by `certs.rotation`; here everything is read, and one thing after another written. What
it takes, as the verbs of Roles:

    secrets     get, update
    endpoints   get
    mutatingwebhookconfigurations.admissionregistration.k8s.io     get, update
    validatingwebhookconfigurations.admissionregistration.k8s.io   get, update

the first two in nbgate's namespace, for nbgate-ca and nbgate-tls, and for nbgate; the configurations are called nbgate.
Besides it must be let through to the replicas' port.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from certs.errors import CertificateError
from certs.hosts import normalize_all
from certs.lifetime import LEAF_LIFETIME
from certs.rotation import next_step
from certs.rotationsteps import (
    SETTLE,
    Found,
    LookAtEndpoints,
    Rest,
    SaveAuthorities,
    SaveBundles,
    SaveServing,
    Step,
    Wanted,
)
from webhook.controller.certificateobjects import (
    Document,
    Service,
    configuration_of,
    ready_addresses,
    request_of,
    secret_data,
    with_bundles,
    with_data,
    without_request,
)
from webhook.controller.certificatesight import Sight, see_all, served_leaf
from webhook.kube import (
    ENDPOINTS,
    MUTATING_CONFIGURATIONS,
    SECRETS,
    VALIDATING_CONFIGURATIONS,
    Kube,
)
from webhook.kubeerrors import Conflict, KubeError, NotFound, Resource

AUTHORITIES, SERVING = "nbgate-ca", "nbgate-tls"
SERVICE = CONFIGURATION = "nbgate"

AUTHORITY_LIFETIME = timedelta(days=365)
"""Followed by another after eight months. In the cluster nobody copies it by hand: nothing speaks for a longer life."""

# How long a caBundle that somebody overwrote stays so: each look is four small objects read, by one replica.
_PATROL = timedelta(seconds=5)
# A rotation takes eight, with pauses between; this many in a row would mean that they undo one another.
_MOST_STEPS = 12

_log = structlog.get_logger("nbgate.certificates")


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Objects:
    """What a look has read, to be written back changed."""

    authorities: Document
    serving: Document
    configurations: tuple[tuple[Resource, Document], ...]


class CertificateUpkeep:
    """Issues, renews and rotates; see `certs.rotation` for the order.

    Args:
        kube: the cluster.
        namespace: where nbgate runs.
        leaf_lifetime, authority_lifetime: of what is issued from now on.
        settle: how long API servers are given to learn of a new CA.
        clock: the time of day, aware.
        sight: how a replica's certificate is seen.

    Attributes:
        problem: what somebody should look at; empty when all is well.
        waiting: what the rotation waits for, in words; empty when none is under way.
    """

    name = "certificates"
    every = 1.0

    def __init__(
        self,
        kube: Kube,
        *,
        namespace: str,
        leaf_lifetime: timedelta = LEAF_LIFETIME,
        authority_lifetime: timedelta = AUTHORITY_LIFETIME,
        settle: timedelta = SETTLE,
        clock: Callable[[], datetime] = _utc,
        sight: Sight | None = None,
    ) -> None:
        self.problem = self.waiting = ""
        self._kube, self._clock = kube, clock
        self._service = Service(SERVICE, namespace)
        self._sight = sight or partial(served_leaf, server_name=self._service.hosts[0])
        self._wanted = Wanted(
            hosts=normalize_all(self._service.hosts),
            leaf_lifetime=leaf_lifetime,
            authority_lifetime=authority_lifetime,
            settle=settle,
        )
        self._until = 0.0  # seconds since the epoch

    def run(self, now: float) -> None:
        """Look, unless it was a moment ago, and do what is next until all that is left is to wait. Raises KubeError."""
        # The second condition is for a clock that was set back.
        if now < self._until <= now + _PATROL.total_seconds():
            return
        try:
            self._work()
        except KubeError as error:
            self.problem = str(error)
            raise
        except CertificateError as error:
            self._rest(Rest(until=self._clock() + _PATROL, problem=str(error)))

    def halt(self) -> None:
        """Forget when the next look was due: another replica leads, and in its term anything may change."""
        self._until = 0.0
        self.problem = self.waiting = ""

    def _work(self) -> None:
        for _ in range(_MOST_STEPS):
            objects = self._read()
            step = self._decide(objects)
            if isinstance(step, Rest):
                return self._rest(step)
            try:
                self._write(step, objects)
            except Conflict:
                return None  # somebody was faster: the next look sees what they wrote
        return None

    def _rest(self, rest: Rest) -> None:
        if rest.problem and rest.problem != self.problem:
            _log.warning("certificates need somebody", problem=rest.problem)
        self.problem, self.waiting = rest.problem, rest.waiting
        self._until = min(rest.until, self._clock() + _PATROL).timestamp()

    def _read(self) -> _Objects:
        kinds = (MUTATING_CONFIGURATIONS, VALIDATING_CONFIGURATIONS)
        read = ((kind, self._get_configuration(kind)) for kind in kinds)
        return _Objects(
            authorities=self._get_secret(AUTHORITIES),
            serving=self._get_secret(SERVING),
            configurations=tuple((kind, one) for kind, one in read if one is not None),
        )

    def _get_secret(self, name: str) -> Document:
        try:
            return self._kube.get(SECRETS, name, self._service.namespace)
        except NotFound as error:
            raise NotFound(
                f"{error}; nbgate's manifests hold it, empty: apply them again, or start the controller with "
                "--certificates none"
            ) from error

    def _get_configuration(self, kind: Resource) -> Document | None:
        """Give a configuration, or None: who removed it to get out of trouble is not to be told of certificates."""
        try:
            return self._kube.get(kind, CONFIGURATION)
        except NotFound:
            return None

    def _decide(self, objects: _Objects) -> Step:
        own = self._service.is_called_by
        found = Found(
            authorities=secret_data(objects.authorities),
            serving=secret_data(objects.serving),
            configurations=tuple(
                configuration_of(one, kind.name, own) for kind, one in objects.configurations
            ),
            asked=request_of(objects.authorities),
            # After everything was read: what is noted as seen was so at this time, and for the time since.
            now=self._clock(),
        )
        step = next_step(found, self._wanted)
        if isinstance(step, LookAtEndpoints):
            seen = see_all(self._ready(), self._sight)
            return next_step(replace(found, endpoints=seen, now=self._clock()), self._wanted)
        return step

    def _ready(self) -> list[tuple[str, int]]:
        try:
            found = self._kube.get(ENDPOINTS, SERVICE, self._service.namespace)
        except NotFound:
            return []
        return list(ready_addresses(found))

    def _write(self, step: Step, objects: _Objects) -> None:
        """Take a step. Raises Conflict where an object changed since it was read."""
        match step:
            case SaveAuthorities():
                secret = with_data(objects.authorities, step.data)
                self._put_secret(without_request(secret) if step.heeded else secret)
            case SaveServing():
                self._put_secret(with_data(objects.serving, step.data))
            case SaveBundles():
                self._put_bundles(step, objects)
            case _:
                return
        _log.info(step.done, reason=step.why)

    def _put_secret(self, secret: Document) -> None:
        self._kube.replace(SECRETS, secret, self._service.namespace)

    def _put_bundles(self, step: SaveBundles, objects: _Objects) -> None:
        own = self._service.is_called_by
        for (kind, document), bundles in zip(objects.configurations, step.bundles, strict=True):
            if configuration_of(document, kind.name, own).bundles != bundles:
                self._kube.replace(kind, with_bundles(document, bundles, own))
