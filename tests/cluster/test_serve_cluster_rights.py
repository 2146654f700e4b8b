"""Every right of the webhook's account is needed, and none besides: without one of them, a part says which."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.accounts import documented_rights, without
from tests.cluster.controlplane import ControlPlane
from tests.cluster.waiting import wait_for
from tests.cluster.webhookside import RIGHTS, Installation, kinds_served
from webhook.cli.settings import Settings
from webhook.cli.sources import build_store
from webhook.kube import Kube, connect
from webhook.stores import scanrequests, secretmirror
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.scanrequests import ScanRequests
from webhook.stores.secretmirror import SecretMirror

pytestmark = pytest.mark.cluster

SECRET = ("secrets", "get")
EVERY = [SECRET, *((kind, verb) for kind, verbs in RIGHTS.items() for verb in verbs)]
SECONDS = 15


def settings(installation: Installation, home: Path) -> Settings:
    return Settings(
        host="127.0.0.1",
        port=0,
        tls="cluster",
        certificates=home / "certs",
        namespace=installation.namespace,
        policy=None,
        policy_required=True,
        scans=None,
        kept=home / "snapshot",
        audit_log=None,
        audit_level="all",
        workers=1,
        threads=1,
        grace=0,
    )


class Replica:
    """The parts of a replica that speak to the cluster."""

    def __init__(self, kube: Kube, installation: Installation, home: Path) -> None:
        chosen = settings(installation, home)
        scans = ClusterScans(kube, report=lambda _: None)
        self.store = build_store(chosen, lambda: kube, scans)
        self.mirror = SecretMirror(kube, namespace=chosen.namespace, directory=chosen.certificates)
        self.mirror.prepare()
        self.asked = threading.Event()
        self.requests = ScanRequests(
            kube,
            scans,
            count=lambda _: self.asked.set(),
            report=lambda _: None,
            pause=0.01,
        )

    def live(self) -> str:
        """Do once what a replica does; say everything that was wrong."""
        self.store.start()
        self.requests.start()
        self.mirror.refresh()
        self.requests.ask(f"registry.example.com/team/{secrets.token_hex(4)}:1", "team-a")
        assert self.asked.wait(SECONDS)
        wait_for(self._settled, SECONDS, "the store to be usable, or to say why it is not")
        self.store.stop()
        self.requests.stop()
        told = [one.message for one in self.store.standings() if not one.ok]
        return "; ".join([*told, self.mirror.problem, self.requests.problem]).strip("; ")

    def _settled(self) -> bool:
        self.store.refresh()
        return self.store.usable or any("cannot" in one.message for one in self.store.standings())


@pytest.fixture(scope="module")
def outcomes(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], str]]:
    """What is wrong without each of the rights, and with all of them, by none."""
    directory = tmp_path_factory.mktemp("rights")

    def outcome(installation: Installation, lacking: tuple[str, str]) -> str:
        rights = without(RIGHTS, *lacking)
        kubeconfig = installation.account(rights, secret=lacking != SECRET)
        home = directory / "-".join(lacking).replace("/", "-")
        with connect(kubeconfig=str(kubeconfig)) as kube:
            return Replica(kube, installation, home).live()

    with kinds_served(control_plane):
        installation = Installation(control_plane, directory)
        installation.issue()
        cases = [("", ""), *EVERY]
        with ThreadPoolExecutor(4) as threads:
            found = threads.map(partial(outcome, installation), cases)
            yield dict(zip(cases, found, strict=True))


def test_the_rights_are_enough(outcomes: dict[tuple[str, str], str]) -> None:
    assert outcomes["", ""] == ""


@pytest.mark.parametrize("right", EVERY, ids=" ".join)
def test_without_one_of_them_a_part_says_which(
    outcomes: dict[tuple[str, str], str], right: tuple[str, str]
) -> None:
    kind, verb = right
    assert f"Role with verb {verb} on {kind}" in outcomes[right]


def test_the_modules_that_need_them_name_them() -> None:
    assert documented_rights(scanrequests.__doc__) == {"imagescans.nbgate.dev": ["create"]}
    assert documented_rights(secretmirror.__doc__) == {"secrets": ["get"]}
