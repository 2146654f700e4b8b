"""A Kubernetes to test on, whoever started it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from tests.cluster.manifests import Document

KUBECTL_SECONDS = 60  # for one call, so that a hanging API server fails a test and not the run


class KubectlFailed(Exception):
    """A kubectl that should succeed did not; tells the command and what it said."""


class Cluster:
    """A Kubernetes cluster, reached by kubectl; `kubeconfig` as kubectl reads KUBECONFIG."""

    runs_controllers = True

    def __init__(self, kubectl: Path, kubeconfig: str | Path, *flags: str) -> None:
        self.kubeconfig = kubeconfig
        self._kubectl = [str(kubectl), *flags]

    def kubectl(
        self,
        *args: str,
        stdin: str | None = None,
        check: bool = True,
        user: str | None = None,
        groups: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; as another user, impersonated, when one is named.

        Raises KubectlFailed when it exits with an error, unless `check` is false.
        """
        identity = ["--as", user] if user else []
        identity += [f"--as-group={group}" for group in groups]
        done = subprocess.run(
            [*self._kubectl, *identity, *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )
        if done.returncode:
            self.check()
        if check and done.returncode:
            raise KubectlFailed(f"kubectl {' '.join(args)}: {done.stderr or done.stdout}")
        return done

    def check(self) -> None:
        """Raise where the cluster itself is known to be broken, so that a failure tells the cause."""

    def create(
        self,
        *documents: Document,
        flags: Sequence[str] = (),
        check: bool = True,
        user: str | None = None,
        groups: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Create these objects, in this order; see `kubectl`."""
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
        return self.kubectl(
            "create", "-f", "-", *flags, stdin=items, check=check, user=user, groups=groups
        )

    def get(self, path: str) -> Document:
        """Return the API server's JSON answer to GET, as the kubeconfig's user."""
        answer: Document = json.loads(self.kubectl("get", "--raw", path).stdout)
        return answer

    def admits_pods_of(self, account: str, namespace: str) -> bool:
        """Tell whether the API server would admit a pod with this service account.

        Before 1.24 it refuses one until a controller has given the account a Secret with a token.
        """
        found = self.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}")
        return self.version >= (1, 24) or bool(found.get("secrets"))

    @cached_property
    def version(self) -> tuple[int, int]:
        """The API server's (major, minor) version."""
        told = self.get("/version")
        # Some vendors append to the minor version, as in "27+".
        return int(told["major"]), int(told["minor"].rstrip("+"))
