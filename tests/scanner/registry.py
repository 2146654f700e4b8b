"""A real registry for tests: docker-registry on a free loopback port, with a storage folder of its own."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import ssl
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from certs.authority import issue_authority, issue_leaf
from tests.cluster.component import Component
from tests.cluster.ports import reserved_ports
from tests.cluster.waiting import wait_for
from tests.scanner.tokenserver import ISSUER, PASSWORD, SERVICE, USER, TokenServer

# bcrypt of PASSWORD at the lowest cost; docker-registry takes no other hash.
_PASSWORD_HASH = "$2a$04$X9Ns.1HAudpOHIdejn0zyuLYu8EOwTujz.LZq1HSohUlkkhKnETGS"
_REQUEST = re.compile(
    r'"(GET|HEAD|PUT|POST|PATCH|DELETE) ([^\s?"]+)\S* HTTP/[0-9.]+" (\d{3}) (\d+)'
)


class RunningRegistry:
    """A docker-registry process; a context manager. Images can be deleted from it.

    Args:
        home: an empty folder for its configuration, log and storage.
        password: it wants `USER` and `PASSWORD` of tests.scanner.tokenserver (basic authentication).
        tokens: it wants tokens of this server.
        tls: it speaks https, with a certificate of an authority of its own: `authority`, a PEM file.
        address: where it listens, this machine's own.

    Attributes:
        port: where it listens at that address.
        host: `ADDRESS:PORT`, as references name it.
    """

    def __init__(
        self,
        home: Path,
        *,
        password: bool = False,
        tokens: TokenServer | None = None,
        tls: bool = False,
        address: str = "127.0.0.1",
    ) -> None:
        self.home = home
        self._address = address
        self.authority = home / "ca.crt"
        self._tls, self._password, self._tokens = tls, password, tokens
        self._stack = ExitStack()
        self.port = 0

    @property
    def host(self) -> str:
        return f"{self._address}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def __enter__(self) -> Self:
        program = shutil.which("docker-registry")
        if program is None:
            pytest.skip("there is no docker-registry: apt-get install docker-registry")
        with ExitStack() as stack:
            (self.port,) = stack.enter_context(reserved_ports(1))
            config = self.home / "config.json"
            config.write_text(json.dumps(self._config()))  # YAML reads it
            server = Component("docker-registry", [program, "serve", config], self.home)
            self._log = server.log
            stack.enter_context(server)
            self._client = stack.enter_context(self._new_client())
            wait_for(
                lambda: self._answers(server),
                10,
                "docker-registry to answer",
                ignoring=(httpx.TransportError,),
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def push_blob(self, repository: str, data: bytes) -> str:
        """Store a blob, as it is; give its digest."""
        digest = sha256(data)
        headers = self._authorization(repository)
        begun = self._client.post(f"/v2/{repository}/blobs/uploads/", headers=headers)
        assert begun.status_code == 202, begun.text
        where = httpx.URL(begun.headers["Location"]).copy_add_param("digest", digest)
        headers["Content-Type"] = "application/octet-stream"
        done = self._client.put(where, content=data, headers=headers)
        assert done.status_code == 201, done.text
        return digest

    def push_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> str:
        """Store a manifest or an index, as it is, under a tag or its digest; give its digest.

        docker-registry wants whatever it names to be there before it.
        """
        headers = self._authorization(repository) | {"Content-Type": media_type}
        done = self._client.put(
            f"/v2/{repository}/manifests/{reference}", content=data, headers=headers
        )
        assert done.status_code == 201, done.text
        return sha256(data)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Take a manifest and the tags that name it away."""
        done = self._client.delete(
            f"/v2/{repository}/manifests/{digest}", headers=self._authorization(repository)
        )
        assert done.status_code == 202, done.text

    def requests(self) -> list[tuple[str, str, int, int]]:
        """Give what it was asked so far: method, path without a query, status, bytes of the answer's body."""
        found = _REQUEST.findall(self._log.read_text(errors="replace"))
        return [(method, path, int(status), int(size)) for method, path, status, size in found]

    def _answers(self, server: Component) -> bool:
        server.check()
        return self._client.get("/v2/").status_code in {200, 401}

    def _authorization(self, repository: str) -> dict[str, str]:
        if self._tokens is None:
            return {}
        return {
            "Authorization": f"Bearer {self._tokens.token(repository, ('pull', 'push', 'delete'))}"
        }

    def _new_client(self) -> httpx.Client:
        trust = ssl.create_default_context(cafile=self.authority) if self._tls else False
        return httpx.Client(
            base_url=self.url,
            verify=trust,
            trust_env=False,
            auth=(USER, PASSWORD) if self._password else None,
            timeout=60,
        )

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "version": "0.1",
            "storage": {
                "filesystem": {"rootdirectory": str(self.home / "storage")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.host, "secret": "of the tests"},
        }
        if self._tls:
            config["http"]["tls"] = self._issue()
        if self._password:
            passwords = self.home / "htpasswd"
            passwords.write_text(f"{USER}:{_PASSWORD_HASH}\n")
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(passwords)}}
        if self._tokens is not None:
            config["auth"] = {
                "token": {
                    "realm": self._tokens.realm,
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(self._tokens.certificate),
                }
            }
        return config

    def _issue(self) -> dict[str, str]:
        certificate, key = issue_server_files(self.home)
        return {"certificate": str(certificate), "key": str(key)}


def issue_server_files(home: Path) -> tuple[Path, Path]:
    """Write `ca.crt`, and a certificate of its for this machine; give the paths of that and its key."""
    now, lifetime = datetime.now(UTC), timedelta(hours=1)
    authority = issue_authority("registry of the tests", now=now, lifetime=lifetime)
    leaf = issue_leaf(authority, hosts=["localhost", "127.0.0.1"], now=now, lifetime=lifetime)
    (home / "ca.crt").write_bytes(authority.certificate_pem)
    (home / "tls.crt").write_bytes(leaf.certificate_pem)
    (home / "tls.key").write_bytes(leaf.key_pem)
    return home / "tls.crt", home / "tls.key"


def sha256(data: bytes) -> str:
    """Give the digest of bytes as images name it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
