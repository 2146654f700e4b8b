"""A change of the CA keeps every host that a certificate can be issued for, and no other stops it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import signing_key
from certs.handrotation import rotate
from certs.hosts import is_host, normalize
from certs.selfsigned import Kept, ensure

NOW = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize("host", ["localhost", "*.kubeflow.svc", "10.0.0.1", "fe80::1", "my_host"])
def test_what_is_its_own_normal_form_is_a_host(host: str) -> None:
    assert is_host(host)
    assert normalize(host) == host


@pytest.mark.parametrize("text", ["LOCALHOST", "0:0::1", "localhost.", "", "a b", "fe80::1%eth0"])
def test_another_spelling_and_what_is_no_host_are_none(text: str) -> None:
    assert not is_host(text)


def served_for(directory: Path, names: list[x509.GeneralName]) -> None:
    """Put a certificate for these names in the place of the leaf, of the same CA and key: as another tool might."""
    authority = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
    before = x509.load_pem_x509_certificate((directory / "tls.crt").read_bytes())
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .public_key(before.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 30 * DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signing_key((directory / "ca.key").read_bytes(), source="ca.key"), hashes.SHA256())
    )
    (directory / "tls.crt").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))


def test_a_name_that_we_would_not_issue_is_left_out_and_all_others_stay(tmp_path: Path) -> None:
    ensure(tmp_path, ["localhost"], now=NOW)
    names = ["localhost", "nbgate.nbgate-system.svc", "rooted.example.", "two words"]
    served_for(tmp_path, [x509.DNSName(name) for name in names])
    rotate(tmp_path, now=NOW)
    assert rotate(tmp_path, now=NOW).leaf.hosts == ("localhost", "nbgate.nbgate-system.svc")
    assert isinstance(ensure(tmp_path, ["localhost"], now=NOW), Kept)
