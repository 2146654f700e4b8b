"""The command lines of a control plane's servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.discovery import Programs

Command = list[str | Path]

SERVICES = "10.0.0.0/24"  # the addresses that Services get; its first is the API server's


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where one control plane listens, and the files that it reads and writes.

    `address` is the one that clients use. With 127.0.0.1 the API server listens there only; with a
    node's address it listens on all, so that pods reach it too.
    """

    programs: Programs
    directory: Path
    address: str
    secure_port: int
    etcd_port: int
    etcd_peer_port: int

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.secure_port}"

    @property
    def certificate(self) -> Path:
        """The API server's own certificate, and its issuer's; it makes them when it first starts."""
        return self.directory / "certs" / "apiserver.crt"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def tokens(self) -> Path:
        return self.directory / "tokens.csv"

    @property
    def service_account_key(self) -> Path:
        return self.directory / "service-accounts.key"

    @property
    def audit_policy(self) -> Path:
        return self.directory / "audit-policy.json"

    @property
    def audit_log(self) -> Path:
        return self.directory / "audit.log"

    @property
    def etcd_data(self) -> Path:
        return self.directory / "etcd-data"

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.etcd_port}"


def etcd(settings: Settings) -> Command:
    """Return the command of a store of one member."""
    peer_url = f"http://127.0.0.1:{settings.etcd_peer_port}"
    return [
        settings.programs.etcd,
        f"--data-dir={settings.etcd_data}",
        f"--listen-client-urls={settings.etcd_url}",
        f"--advertise-client-urls={settings.etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--unsafe-no-fsync",  # a power cut ends the test anyway
    ]


def apiserver(settings: Settings, more: Sequence[str]) -> Command:
    """Return the API server's command, with `more` flags at its end."""
    loopback = settings.address == "127.0.0.1"
    command: Command = [
        settings.programs.apiserver,
        f"--etcd-servers={settings.etcd_url}",
        f"--secure-port={settings.secure_port}",
        f"--bind-address={'127.0.0.1' if loopback else '0.0.0.0'}",
        f"--advertise-address={settings.address}",
        f"--cert-dir={settings.certificate.parent}",
        f"--token-auth-file={settings.tokens}",
        "--authorization-mode=RBAC,Node",
        "--allow-privileged",
        f"--service-cluster-ip-range={SERVICES}",
        "--service-account-issuer=https://kubernetes.default.svc",
        # The one file holds the private key, which the public one is read from too.
        f"--service-account-key-file={settings.service_account_key}",
        f"--service-account-signing-key-file={settings.service_account_key}",
        f"--audit-policy-file={settings.audit_policy}",
        f"--audit-log-path={settings.audit_log}",
        "--kubelet-preferred-address-types=InternalIP",
    ]
    if loopback:
        # No pod could use the Service `kubernetes`, and its loopback address is refused again and again in the log.
        command.append("--endpoint-reconciler-type=none")
    if settings.programs.version < (1, 23):
        # On by default from 1.23; a gate that has been dropped since would be a fault.
        command.append("--feature-gates=EphemeralContainers=true")
    if settings.programs.controller_manager is None:
        # Nothing makes service accounts then, and the API server would refuse every pod for the lack.
        command.append("--disable-admission-plugins=ServiceAccount")
    return [*command, *more]


def controller_manager(settings: Settings, program: Path) -> Command:
    """Return the command of the controllers, each with its own account, as in production.

    Those of StatefulSets, service accounts and their tokens, and namespaces are among the default ones.
    """
    command: Command = [
        program,
        f"--kubeconfig={settings.kubeconfig}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={settings.service_account_key}",
        f"--root-ca-file={settings.certificate}",
        "--leader-elect=false",  # alone, and so at work at once
        # By default it asks at most 20 times a second, and needs three seconds more to start.
        "--kube-api-qps=500",
        "--kube-api-burst=500",
        "--secure-port=0",
    ]
    if settings.programs.version < (1, 24):
        command.append(
            "--port=0"
        )  # else it serves plain HTTP on a fixed port; the flag is gone since
    return command
