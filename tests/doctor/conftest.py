"""A healthy installation on paper, whose replicas are real TLS servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.authority import issue_authority, issue_leaf
from certs.directory import write
from tests.doctor.installation import PODS, lived_in, manifests
from tests.doctor.papercluster import PaperCluster
from tests.doctor.replica import Answering, answering
from webhook.doctor.workloads import COMPONENTS

HOST = "nbgate.nbgate-system.svc"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    """A webhook's replica and a controller's, which say that they are ready."""
    # the handshakes go by this machine's clock
    now = datetime.now(UTC)
    authority = issue_authority("nbgate", now=now, lifetime=timedelta(days=400))
    leaf = issue_leaf(authority, hosts=[HOST], now=now, lifetime=timedelta(days=90))
    directory: Path = tmp_path_factory.mktemp("replica")
    write(directory, leaf, authority=authority)
    with answering(directory, authority.certificate_pem) as found:
        yield found


@pytest.fixture(scope="session")
def healthy(servers: Answering) -> PaperCluster:
    """Everything as it should be; tests change copies of it."""
    cluster = PaperCluster(documents=lived_in(manifests(), servers.authority))
    for number in range(PODS["webhook"]):
        cluster.addresses[f"{COMPONENTS['webhook']}-{number}", 8443] = servers.webhook
    for number in range(PODS["controller"]):
        cluster.addresses[f"{COMPONENTS['controller']}-{number}", 8080] = servers.controller
    return cluster
