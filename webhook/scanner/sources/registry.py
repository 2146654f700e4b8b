"""One image in a registry, by the OCI distribution protocol (distribution-spec v1.1)."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from webhook.core.reference import DOCKER_HUB, InvalidReference, Reference, check_digest
from webhook.scanner.documents.parsing import DOCUMENT_LIMIT
from webhook.scanner.errors import BadContent, SourceError, Unreachable
from webhook.scanner.image import Descriptor
from webhook.scanner.mediatypes import ACCEPT, is_index, is_manifest
from webhook.scanner.sources.announced import (
    announced_digest,
    announced_type,
    check_announced_digest,
    digest_of,
    length_fault,
)
from webhook.scanner.sources.credentialfiles import user_files
from webhook.scanner.sources.credentials import Credentials
from webhook.scanner.sources.guard import Guard
from webhook.scanner.sources.logins import find_login
from webhook.scanner.sources.network import Resolve, system_resolve
from webhook.scanner.sources.patience import Allowance, Deadline
from webhook.scanner.sources.retries import Retries
from webhook.scanner.sources.session import Session
from webhook.scanner.sources.tokens import TokenRules
from webhook.scanner.sources.transport import Answer, Interrupted, NoTls, Transport
from webhook.scanner.sources.urls import InvalidUrl, Url, parse_url
from webhook.scanner.sources.verify import check_bytes, verified

# Where Docker Hub's images are served from; docker.io itself is its web site.
_SERVED_AT = {DOCKER_HUB: "registry-1.docker.io"}
_RESUMES = 2  # of one blob; a line that breaks more often will not carry a layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Patiences:
    """How long a registry is waited for, in seconds.

    Attributes:
        connect: for looking its name up, connecting and shaking hands.
        document: for a manifest or a config with all that it takes: a token, redirects, further tries. 4 MiB in
            60 s is half a megabit a second.
        blob_begin: the same for a blob, until it begins.
        blob_pause: for pauses while a blob is sent, beside what `blob_rate` allows.
        blob_rate: bytes a second, on average, that a blob must come with at least: a megabit a second, below which
            an image of 4 GiB takes nine hours and is better scanned from elsewhere.
    """

    connect: float = 10
    document: float = 60
    blob_begin: float = 60
    blob_pause: float = 60
    blob_rate: float = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """What a person says of registries.

    Attributes:
        auth_files: Docker config files, pull secrets as manifests or as folders where they are mounted; the first that
            has a login for the image holds, before the user's own.
        user_files: also look where podman and docker keep logins.
        environ: HOME and its like for that, PATH for credential helpers, proxies, SSL_CERT_FILE; nothing if not given.
        plain_http: registries, HOST or HOST:PORT, that speak http. One on loopback is found out.
        token_realms: hosts, or HOST:PORT, that may give tokens though they are not the registry's own.
        private: any registry may be at a private or loopback address.
        private_hosts: those, HOST or HOST:PORT, that may be there though others may not.
        resolve: looks names up.
    """

    auth_files: tuple[Path, ...] = ()
    user_files: bool = True
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold passwords
    plain_http: frozenset[str] = frozenset()
    token_realms: frozenset[str] = frozenset()
    private: bool = True
    private_hosts: frozenset[str] = frozenset()
    patiences: Patiences = field(default_factory=Patiences)
    retries: Retries = field(default_factory=Retries)
    resolve: Resolve = system_resolve


class RegistrySource:
    """One image of a registry; implements `webhook.scanner.source.Source`.

    Nothing is asked before a method is called. Raises BadContent where the reference names no host that there could be.
    """

    def __init__(self, reference: Reference, options: RegistryOptions) -> None:
        self._reference, self._options = reference, options
        self._where = reference.repository
        self._path = f"/v2/{reference.path}"
        told_http = _names(options.plain_http, reference)
        self._base = _base(reference, "http" if told_http else "https")
        self._realms = frozenset(host.lower() for host in options.token_realms)
        private = options.private or _names(options.private_hosts, reference)
        self._guard = Guard(self._where, self._base.host, self._realms, private=private)
        self._transport = Transport(
            self._where,
            self._guard,
            environ=options.environ,
            resolve=options.resolve,
            connect_seconds=options.patiences.connect,
        )
        self._session = self._new_session()

    @property
    def plain_http(self) -> bool:
        """Whether the registry speaks http without TLS: because it was said, or it was found out by `top`."""
        return self._base.scheme == "http"

    def pull_name(self, digest: str) -> str:
        """Name a manifest of this repository for podman and for Pods."""
        return f"{self._where}@{digest}"

    def top(self) -> tuple[Descriptor, bytes]:
        """Ask what the reference names; its digest counts, where it has one, and its tag then is decoration."""
        wanted = self._reference.digest
        name = wanted or self._reference.tag or ""
        what = f"manifest {name}"
        deadline = Deadline(self._options.patiences.document)
        with self._get(
            f"manifests/{name}", what, {"Accept": ", ".join(ACCEPT)}, deadline
        ) as answer:
            media_type = announced_type(answer, f"{self._where}: {what}")
            data = answer.read(DOCUMENT_LIMIT, what)
        descriptor = Descriptor(
            media_type=media_type, digest=wanted or digest_of(data, "sha256"), size=len(data)
        )
        check_announced_digest(answer, data, f"{self._where}: {what}")
        return descriptor, check_bytes(data, descriptor, self._where)

    def digest(self) -> str:
        """Ask what the tag names now, and for nothing else.

        By HEAD, which Docker Hub does not count as a pull (docs.docker.com, "Pulls"). Where that is not answered, or
        not with what can be compared, by `top`, which also hears what a registry says of what it has not.
        """
        announced = None
        try:
            announced = self._announced()
        except SourceError as error:
            if error.temporary:
                raise
        return announced or self.top()[0].digest

    def _announced(self) -> str | None:
        name = self._reference.digest or self._reference.tag or ""
        deadline = Deadline(self._options.patiences.document)
        headers = {"Accept": ", ".join(ACCEPT)}
        with self._get(f"manifests/{name}", f"manifest {name}", headers, deadline, "HEAD") as head:
            return announced_digest(head)

    def document(self, descriptor: Descriptor) -> bytes:
        """Fetch a manifest, an index or a config whole."""
        self._check(descriptor)
        what = f"document {descriptor.digest}"
        if descriptor.size > DOCUMENT_LIMIT:
            raise BadContent(
                f"{self._where}: {what} has {descriptor.size} bytes, more than the {DOCUMENT_LIMIT} that "
                "runtimes read of one; build the image anew"
            )
        kind, accept = "blobs", "*/*"
        if is_index(descriptor.media_type) or is_manifest(descriptor.media_type):
            kind, accept = "manifests", descriptor.media_type
        deadline = Deadline(self._options.patiences.document)
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        with self._get(f"{kind}/{descriptor.digest}", what, headers, deadline) as answer:
            return check_bytes(answer.read(descriptor.size, what), descriptor, self._where)

    @contextmanager
    def blob(self, descriptor: Descriptor) -> Iterator[Iterator[bytes]]:
        """Open a layer as chunks of at most 64 KiB; what breaks off is resumed where the registry can do so."""
        self._check(descriptor)
        with closing(self._chunks(descriptor)) as chunks:
            yield verified(chunks, descriptor, self._where)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def _chunks(self, descriptor: Descriptor) -> Generator[bytes, None, None]:
        received, resumes = 0, 0
        patiences = self._options.patiences
        allowance = Allowance(patiences.blob_pause, patiences.blob_rate)
        while True:
            try:
                with self._open(descriptor, received) as answer:
                    for chunk in answer.chunks(allowance):
                        received += len(chunk)
                        yield chunk
            except Interrupted:
                if resumes == _RESUMES or not 0 < received < descriptor.size:
                    raise
                resumes += 1
            else:
                return

    def _open(self, descriptor: Descriptor, start: int) -> Answer:
        """Ask for a blob from its byte `start` on."""
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        what = f"blob {descriptor.digest}"
        deadline = Deadline(self._options.patiences.blob_begin)
        answer = self._get(f"blobs/{descriptor.digest}", what, headers, deadline)
        fault = length_fault(answer, descriptor.size, start)
        if fault is None:
            return answer
        answer.close()
        if start:
            raise Unreachable(f"{self._where}: {what} broke off, and {fault}; try again later")
        raise BadContent(f"{self._where}: {what}: {fault}; push the image again")

    def _get(
        self,
        path: str,
        what: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        method: str = "GET",
    ) -> Answer:
        target = f"{self._path}/{path}"
        try:
            return self._session.get(target, what, headers, deadline, method)
        except NoTls as error:
            # Only where nobody can listen in between, and only if it is the registry that does not speak TLS.
            if error.url.origin != self._base.origin or not self._guard.loopback:
                raise
        self._base = _base(self._reference, "http")
        self._session = self._new_session()
        return self._session.get(target, what, headers, deadline, method)

    def _new_session(self) -> Session:
        rules = TokenRules(
            registry=self._base,
            name=self._reference.domain,
            # Never wider, whatever a challenge asks for.
            scope=f"repository:{self._reference.path}:pull",
            told=self._realms,
        )
        return Session(self._transport, self._where, rules, self._find, self._options.retries)

    def _find(self) -> Credentials | None:
        options = self._options
        return find_login(
            self._reference,
            named=options.auth_files,
            user_files=user_files(options.environ) if options.user_files else (),
            environ=options.environ,
        )

    def _check(self, descriptor: Descriptor) -> None:
        """Let nothing into an address that a stranger wrote and is no digest."""
        try:
            check_digest(descriptor.digest)
        except InvalidReference as error:
            raise BadContent(f"{self._where}: {error}; build the image anew") from error


def _names(hosts: frozenset[str], reference: Reference) -> bool:
    """Tell whether a person named the registry of a reference."""
    return reference.domain.lower() in {host.lower() for host in hosts}


def _base(reference: Reference, scheme: str) -> Url:
    domain = _SERVED_AT.get(reference.domain, reference.domain)
    try:
        return parse_url(f"{scheme}://{domain.lower()}/")
    except InvalidUrl as error:
        raise BadContent(
            f"{reference.repository}: {domain} is no registry: {error}; check it"
        ) from error
