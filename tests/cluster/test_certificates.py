"""The controller's certificates on a real API server: issued, repaired, rotated under a server that serves on."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from certs.authority import issue_authority
from certs.bundle import bundle_pem, encode_bundle, fingerprints
from certs.certificate import describe
from certs.directory import write
from certs.files import read_if_there
from certs.keypair import KeyPair
from tests.cli.running import Ended, nbgate
from tests.cluster.controlplane import ControlPlane
from tests.cluster.installation import FOREIGN, Installation, deployed_rules, installed
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from tests.server.documents import policy, put
from tests.server.running import RunningServer
from webhook.controller.certificateobjects import ROTATE, Service, configuration_of, with_data
from webhook.controller.certificates import CertificateUpkeep
from webhook.controller.certificatesight import served_leaf
from webhook.kube import ENDPOINTS, SECRETS, VALIDATING_CONFIGURATIONS, connect
from webhook.kubeerrors import Conflict, Forbidden, NotFound

pytestmark = pytest.mark.cluster

SETTLE = timedelta(seconds=1)
# An address for documentation (RFC 5737): Endpoints take none of this machine's own loopback.
ADDRESS = "192.0.2.1"


@pytest.fixture(scope="module")
def module_installation(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with installed(control_plane, tmp_path_factory.mktemp("certificates")) as found:
        found.grant(deployed_rules())
        wait_for(lambda: works(found), 20, "the rights to be in force", ignoring=(Forbidden,))
        yield found


@pytest.fixture
def installation(module_installation: Installation) -> Installation:
    """An installation as it is when it is new."""
    module_installation.reset()
    return module_installation


def upkeep(installation: Installation, **options: Any) -> CertificateUpkeep:
    given = {"settle": SETTLE, **options}
    return CertificateUpkeep(installation.kube, namespace=installation.namespace, **given)


def works(installation: Installation) -> bool:
    upkeep(installation).run(0)
    return True


def own_authority() -> KeyPair:
    """A CA that nbgate did not issue."""
    return issue_authority("their CA", now=datetime.now(UTC), lifetime=timedelta(days=9))


# -- alone ---------------------------------------------------------------------------------------------


def test_a_new_installation_gets_a_ca_a_leaf_and_bundles(installation: Installation) -> None:
    secret = installation.admin.get(SECRETS, "nbgate-tls", installation.namespace)
    extended = with_data(secret, {"client-ca.crt": b"of the platform team"})
    installation.admin.replace(SECRETS, extended, installation.namespace)
    duty = upkeep(installation)
    with capture_logs() as lines:
        duty.run(0)
    steps = [line["event"].split(" CN=")[0] for line in lines]
    assert [step.split()[0] for step in steps] == ["issued", "wrote", "issued", "saw"]
    (authority,) = describe(installation.data("nbgate-ca")["ca.crt"])
    leaf = installation.leaf()
    host = f"nbgate.{installation.namespace}.svc"
    assert (leaf.hosts, leaf.issuer) == ((host, f"{host}.cluster.local"), authority.subject)
    entries = installation.entries()
    assert entries.pop(FOREIGN) == ()
    assert len(entries) >= 4
    assert set(entries.values()) == {(authority,)}
    assert installation.data("nbgate-tls")["client-ca.crt"] == b"of the platform team"
    assert duty.problem == ""


def test_a_bundle_that_somebody_overwrote_is_repaired_within_seconds_and_nothing_else_is_written(
    installation: Installation,
) -> None:
    duty = upkeep(installation)
    duty.run(time.time())
    before, secret = installation.bundles(), installation.data("nbgate-ca")
    installation.overwrite(VALIDATING_CONFIGURATIONS, "")
    assert installation.bundles() != before
    duty.run(time.time())
    assert installation.bundles() != before, "it looks every five seconds only"
    duty.run(time.time() + 5)
    assert installation.bundles() == before
    assert installation.data("nbgate-ca") == secret


def test_two_that_lead_at_once_agree(installation: Installation) -> None:
    duties = [upkeep(installation), upkeep(installation)]

    def lead(duty: CertificateUpkeep) -> None:
        for _ in range(6):
            duty.run(0)

    threads = [threading.Thread(target=lead, args=(duty,)) for duty in duties]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (bundle,) = installation.bundles()
    (authority,) = describe(installation.data("nbgate-ca")["ca.crt"])
    assert bundle == (authority,)
    assert installation.leaf().issuer == authority.subject


def test_what_api_servers_know_a_configuration_by_changes_with_its_entries_alone(
    installation: Installation,
) -> None:
    def identity() -> str:
        document = installation.admin.get(VALIDATING_CONFIGURATIONS, "nbgate")
        own = Service("nbgate", installation.namespace).is_called_by
        return configuration_of(document, "validating", own).identity

    upkeep(installation).run(0)
    first = identity()
    label = {"metadata": {"labels": {"a": "b"}}}
    installation.admin.patch(VALIDATING_CONFIGURATIONS, "nbgate", label)
    assert identity() == first
    other = encode_bundle(describe(own_authority().certificate_pem))
    installation.overwrite(VALIDATING_CONFIGURATIONS, other)
    second = identity()
    assert second != first
    installation.overwrite(VALIDATING_CONFIGURATIONS, "")
    assert identity() not in {first, second}


def test_a_missing_secret_is_told_with_the_cure(control_plane: ControlPlane) -> None:
    with connect(kubeconfig=str(control_plane.kubeconfig)) as kube:
        duty = CertificateUpkeep(kube, namespace="default")
        with pytest.raises(NotFound, match=r"nbgate-ca.* apply them again"):
            duty.run(0)
    assert "apply them again" in duty.problem


# -- with a server and the command line ----------------------------------------------------------------


class Replica(RunningServer):
    """A real server for a Service's name, which is asked at 127.0.0.1."""

    def new_client(self, context: ssl.SSLContext | None = None, **options: Any) -> Any:
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        return super().new_client(context or trusting, **options)


class Running:
    """The controller at work, the Secret mirrored to a replica, and an API server that calls it all the time.

    That one is half a second late: it verifies with every bundle that was there within that time.
    """

    def __init__(self, installation: Installation, home: Path, replica: Replica) -> None:
        self.calls = 0
        self.lost: list[str] = []
        self._installation, self._home, self._port = installation, home, replica.port
        self._host = f"nbgate.{installation.namespace}.svc"
        self._duty = upkeep(installation, sight=self._sight)
        self._seen: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _sight(self, address: str, port: int) -> str:
        assert (address, port) == (ADDRESS, 8443)
        return served_leaf("127.0.0.1", self._port, self._host)

    def _work(self) -> None:
        while not self._stopping.wait(0.1):
            self._duty.run(0)
            mirror(self._installation, self._home)
            now = time.monotonic()
            pems = {bundle_pem(one).decode() for one in self._installation.bundles()}
            self._seen |= dict.fromkeys(pems, now)
            for pem in [pem for pem, at in self._seen.items() if now - at < 0.5]:
                self._call(pem)

    def _call(self, pem: str) -> None:
        self.calls += 1
        context = ssl.create_default_context(cadata=pem)
        try:
            with (
                socket.create_connection(("127.0.0.1", self._port), 5) as plain,
                context.wrap_socket(plain, server_hostname=self._host),
            ):
                pass
        except OSError as error:
            self.lost.append(str(error))


def mirror(installation: Installation, home: Path) -> None:
    """Write the Secret to the folder that a replica serves from."""
    data, folder = installation.data("nbgate-tls"), home / "certs"
    if read_if_there(folder / "tls.crt") == data["tls.crt"]:
        return
    write(folder, KeyPair(certificate_pem=data["tls.crt"], key_pem=data["tls.key"]))
    (folder / "ca.crt").write_bytes(data["ca.crt"])


@pytest.fixture
def running(installation: Installation, tmp_path: Path) -> Iterator[Running]:
    upkeep(installation).run(0)
    mirror(installation, tmp_path)
    put(tmp_path / "policy.json", policy())
    flags = ("--tls", str(tmp_path / "certs"), "--policy", str(tmp_path / "policy.json"))
    with (
        Replica(tmp_path, *flags) as replica,
        serving_at(installation),
        capture_logs(),
        Running(installation, tmp_path, replica) as found,
    ):
        yield found


@contextmanager
def serving_at(installation: Installation) -> Iterator[None]:
    """Let Service nbgate have one ready replica."""
    ports = [{"name": "metrics", "port": 1}, {"name": "https", "port": 8443}]
    document: Document = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "nbgate"},
        "subsets": [{"addresses": [{"ip": ADDRESS}], "ports": ports}],
    }
    installation.admin.create(ENDPOINTS, document, installation.namespace)
    yield
    installation.admin.delete(ENDPOINTS, "nbgate", installation.namespace, grace=0)


def rotate(installation: Installation, *flags: str, home: Path) -> Ended:
    where = ("--namespace", installation.namespace)
    kubeconfig = str(installation.plane.kubeconfig)
    return nbgate(home, "certs", "rotate", *where, *flags, KUBECONFIG=kubeconfig)


def test_rotations_fail_no_call_and_the_old_ca_stays_unless_it_is_dropped_by_force(
    installation: Installation, running: Running, tmp_path: Path
) -> None:
    old = installation.leaf()
    ended = rotate(installation, "--wait", "-o", "json", home=tmp_path)
    assert ended.code == 0, ended.err
    told = ended.json
    assert told["phase"] == "Overlap"
    assert told["certificate"]["fingerprint"] == installation.leaf().fingerprint
    assert told["ca"]["subject"] == installation.leaf().issuer != old.issuer
    assert [one["subject"] for one in told["formerCAs"]] == [old.issuer]
    assert ended.err.splitlines()[-1].startswith("nbgate: overlap: the former CA stays trusted")
    (bundle,) = installation.bundles()
    assert [one.subject for one in bundle] == [old.issuer, told["ca"]["subject"]]

    ended = rotate(installation, "--now", "--wait", home=tmp_path)
    assert ended.code == 0, ended.err
    assert "one CA is trusted" in ended.out
    wait_for(lambda: len(min(installation.bundles())) == 1, 10, "the old CAs to leave caBundle")
    (bundle,) = installation.bundles()
    assert [one.subject for one in bundle] == [installation.leaf().issuer]

    assert running.lost == []
    assert running.calls > 10


def test_a_replica_that_cannot_be_seen_holds_a_forced_rotation_up_and_is_named(
    installation: Installation, tmp_path: Path
) -> None:
    def sight(_: str, __: int) -> str:
        raise TimeoutError("timed out")

    duty = upkeep(installation, sight=sight, settle=timedelta())
    with serving_at(installation):
        duty.run(0)
        rotate(installation, "--now", home=tmp_path)
        for _ in range(3):
            duty.run(0)
    (bundle,) = installation.bundles()
    assert len(bundle) == 2
    assert f"{ADDRESS}:8443 cannot be seen (timed out; does a NetworkPolicy" in duty.waiting


def test_a_request_is_written_down_and_waiting_without_a_controller_ends_with_the_cure(
    installation: Installation, tmp_path: Path
) -> None:
    upkeep(installation).run(0)
    ended = rotate(installation, "--timeout", "1s", "--wait", home=tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert "the controller has not begun" in ended.err
    assert "logs deployment/nbgate-controller" in ended.err
    secret = installation.admin.get(SECRETS, "nbgate-ca", installation.namespace)
    assert ROTATE in secret["metadata"]["annotations"]
    assert rotate(installation, "-o", "yaml", home=tmp_path).yaml["phase"] == "Asked"


def test_what_cannot_be_rotated_is_said(installation: Installation, tmp_path: Path) -> None:
    ended = rotate(installation, home=tmp_path)
    assert (ended.code, "holds no CA yet" in ended.err) == (2, True)
    own = own_authority()
    secret = installation.admin.get(SECRETS, "nbgate-ca", installation.namespace)
    data = {"ca.crt": own.certificate_pem, "ca.key": own.key_pem}
    installation.admin.replace(SECRETS, with_data(secret, data), installation.namespace)
    ended = rotate(installation, home=tmp_path)
    assert (ended.code, "CN=their CA, which nbgate did not issue" in ended.err) == (2, True)
    ended = rotate(installation, "--namespace", "nowhere", home=tmp_path)
    assert (ended.code, "is nbgate in namespace nowhere?" in ended.err) == (3, True)


# -- inject --------------------------------------------------------------------------------------------


def inject(installation: Installation, home: Path, *flags: str | Path) -> Ended:
    kubeconfig = str(installation.plane.kubeconfig)
    return nbgate(home, "certs", "inject", *flags, KUBECONFIG=kubeconfig)


def test_a_ca_is_added_beside_others_and_then_replaces_them_in_every_entry(
    installation: Installation, tmp_path: Path
) -> None:
    upkeep(installation).run(0)
    own = own_authority()
    (tmp_path / "ca.crt").write_bytes(own.certificate_pem)
    (their,), before = describe(own.certificate_pem), installation.entries()

    dry = inject(installation, tmp_path, "--ca", tmp_path, "--add", "--dry-run", "-o", "json").json
    yaml = inject(installation, tmp_path, "--ca", tmp_path, "--add", "--dry-run", "-o", "yaml").yaml
    assert yaml == dry
    assert installation.entries() == before
    assert {one["written"] for one in dry} == {False}
    assert {one["changed"] for one in dry} == {True}

    ended = inject(installation, tmp_path, "--ca", tmp_path / "ca.crt", "--add")
    assert (ended.code, ended.err) == (0, "")
    assert "+CN=their CA" in ended.out
    after = installation.entries()
    assert {name: fingerprints(one) for name, one in after.items()} == {
        name: (*fingerprints(one), their.fingerprint) for name, one in before.items()
    }
    again = inject(installation, tmp_path, "--ca", tmp_path, "--add", "-o", "json").json
    assert {one["changed"] for one in again} == {False}

    inject(installation, tmp_path, "--ca", tmp_path)
    assert set(installation.entries().values()) == {(their,)}


def test_an_unknown_configuration_is_said(installation: Installation, tmp_path: Path) -> None:
    own = own_authority()
    (tmp_path / "ca.crt").write_bytes(own.certificate_pem)
    ended = inject(installation, tmp_path, "--ca", tmp_path, "--name", "nothing")
    assert (ended.code, ended.out) == (3, "")
    assert "no webhook configuration called nothing" in ended.err


# -- rights --------------------------------------------------------------------------------------------


def rights() -> list[tuple[str, str]]:
    return [
        (resource, verb)
        for rule in deployed_rules()
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def rules_without(resource: str, verb: str) -> list[Document]:
    """Give the rules of each kind of object by itself, and of one a verb less."""
    rules = []
    for rule in deployed_rules():
        for one in rule["resources"]:
            verbs = [left for left in rule["verbs"] if (one, left) != (resource, verb)]
            rules += [{**rule, "resources": [one], "verbs": verbs}] if verbs else []
    return rules


@pytest.mark.parametrize(("resource", "verb"), rights())
def test_without_one_of_its_rights_the_upkeep_fails_and_names_it(
    module_installation: Installation, resource: str, verb: str
) -> None:
    module_installation.grant(rules_without(resource, verb))

    def named() -> bool:
        module_installation.reset()
        try:
            upkeep(module_installation).run(0)
        except Forbidden as error:
            return f"with verb {verb} on {resource}" in str(error)
        except Conflict:
            return False
        return False

    wait_for(named, 20, f"a refusal that names {verb} {resource}")
    module_installation.grant(deployed_rules())
