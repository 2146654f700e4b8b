"""A Secret with a certificate, mirrored into a folder as kubelet would mount it.

GET the Secret ──► beside the live files, in a folder of its own ──► checked as a whole ──► one rename makes it live

A server that serves from the folder never sees half of a pair: `certs.directory.load` follows the link that the rename
moves. What is no good, and a Secret that is gone, leaves the folder as it is: the last good pair stays, and `problem`
says why. Mounting the Secret itself would do the same a minute later, and needs it to be there when the pod starts.

The account of the webhook needs, in the Secret's namespace and for this Secret alone:

    secrets  get
"""

import base64
import binascii
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from certs.context import server_context
from certs.directory import load
from certs.errors import CertificateError, ForeignFileError
from certs.files import make_private_directory, read_if_there, replace, unwritable
from certs.layout import (
    AUTHORITY_CERTIFICATE,
    AUTHORITY_KEY,
    CLIENT_AUTHORITIES,
    LEAF_CERTIFICATE,
    LEAF_KEY,
)
from certs.lock import locked
from webhook.kube import SECRETS, Document
from webhook.kubeerrors import KubeError, Resource

SECRET = "nbgate-tls"  # noqa: S105 - its name
# A changed certificate should serve within seconds, and a GET of one small object costs the API server next to nothing.
INTERVAL = 2.0
_NEEDED = (LEAF_CERTIFICATE, LEAF_KEY)
_FILES = (*_NEEDED, AUTHORITY_CERTIFICATE, CLIENT_AUTHORITIES)
# kubelet's own names (AtomicWriter); see certs.directory
_LIVE, _HIDDEN = "..data", ".."


class Getter(Protocol):
    """What is asked of the cluster: a `Kube`."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Document:
        """Give an object."""


def _now() -> datetime:
    return datetime.now(UTC)


class UnusableSecret(ValueError):
    """A Secret holds nothing that could be served."""


class SecretMirror:
    """Keeps a folder as a Secret is, as long as the Secret is good. Several processes may mirror into one folder.

    Args:
        kube: the cluster.
        namespace: the Secret's.
        directory: the folder; made for its owner alone where it is missing.
        now: the time of day.

    Attributes:
        problem: why the folder is not as the Secret is; empty when it is.
    """

    def __init__(
        self,
        kube: Getter,
        *,
        namespace: str,
        directory: Path,
        name: str = SECRET,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._kube = kube
        self._name = name
        self._namespace = namespace
        self._directory = directory
        self._now = now
        self.problem = ""

    @property
    def source(self) -> str:
        """What is mirrored, in words."""
        return f"Secret {self._name} in namespace {self._namespace}"

    def prepare(self) -> None:
        """Make the folder, and see that it can be written. Raises CertificateError."""
        if os.path.lexists(self._directory / AUTHORITY_KEY):
            raise ForeignFileError(
                f"{self._directory} holds {AUTHORITY_KEY}, so it is a folder of --tls self; "
                "set NBGATE_HOME to another folder"
            )
        make_private_directory(self._directory)
        with locked(self._directory):
            pass

    def refresh(self) -> bool:
        """Read the Secret, and take what is new and good; tell whether something was taken."""
        try:
            files = _files(self._kube.get(SECRETS, self._name, self._namespace))
            with locked(self._directory):
                changed = files != self._held() and self._take(files)
        except KubeError as error:
            self.problem = str(error)
            return False
        except (CertificateError, UnusableSecret) as error:
            self.problem = f"{self.source}: {error}"
            return False
        self.problem = ""
        return changed

    def _held(self) -> dict[str, bytes]:
        found = {name: read_if_there(self._directory / _LIVE / name) for name in _FILES}
        return {name: content for name, content in found.items() if content is not None}

    def _take(self, files: Mapping[str, bytes]) -> bool:
        try:
            self._swap(files)
        except OSError as error:
            raise unwritable(self._directory, error) from error
        return True

    def _swap(self, files: Mapping[str, bytes]) -> None:
        staged = Path(tempfile.mkdtemp(prefix=_HIDDEN, dir=self._directory))
        try:
            for name, content in files.items():
                replace(staged / name, content, mode=0o600)
            self._check(staged)
            _link(self._directory / _LIVE, staged.name)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        self._show(files)
        self._clear(staged)

    def _check(self, staged: Path) -> None:
        """Refuse what cannot be served; its faults are the Secret's, not the folder's."""
        try:
            server_context(load(staged, now=self._now()))
        except CertificateError as error:
            raise UnusableSecret(str(error).replace(f"{staged}{os.sep}", "")) from error

    def _show(self, files: Mapping[str, bytes]) -> None:
        """Link the files where people and tools look for them."""
        for name in _FILES:
            path = self._directory / name
            if name in files:
                _link(path, f"{_LIVE}/{name}")
            elif path.is_symlink():
                path.unlink()

    def _clear(self, live: Path) -> None:
        """Remove what was live before, and what a process left that ended in between."""
        for path in self._directory.iterdir():
            if path.name.startswith(_HIDDEN) and path != live and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def _files(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """Decode the files of a Secret. Raises UnusableSecret."""
    data = secret.get("data") or {}
    missing = [name for name in _NEEDED if not data.get(name)]
    if missing:
        raise UnusableSecret(
            f"holds no {' and no '.join(missing)}; the controller or cert-manager puts them there"
        )
    try:
        return {name: base64.b64decode(data[name]) for name in _FILES if name in data}
    except (binascii.Error, TypeError, ValueError) as error:
        raise UnusableSecret(f"is not written in base64: {error}") from error


def _link(path: Path, target: str) -> None:
    """Make a link, or point it elsewhere, as one step."""
    if path.is_symlink() and path.readlink() == Path(target):
        return
    temporary = path.with_name(f"{path.name}_tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
