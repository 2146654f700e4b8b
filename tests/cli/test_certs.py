"""`nbgate certs`: what is issued serves, what is good is kept, and what is wrong is said."""

import base64
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs.context import server_context
from certs.directory import load
from certs.selfsigned import ensure
from tests.cli.running import Ended, nbgate
from webhook.cli.certs import LOCAL_HOSTS

Json = dict[str, Any]
FILES = {"ca.crt", "ca.key", "tls.crt", "tls.key"}
DAY = timedelta(days=1)


def issued(home: Path, *flags: str | Path) -> Json:
    data: Json = nbgate(home, "certs", "issue", "-o", "json", *flags).json
    return data


def shown(home: Path, *flags: str | Path) -> list[Json]:
    rows: list[Json] = nbgate(home, "certs", "show", "-o", "json", *flags).json
    return rows


def self_issued(
    name: str = "x", *, hosts: tuple[str, ...] = ("a.example",), days: int = 9
) -> bytes:
    """A certificate that anybody may have made, over since yesterday where `days` is negative."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.now(UTC) + days * DAY
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(end - 10 * DAY)
        .not_valid_after(end)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


# -- issue -----------------------------------------------------------------------------------------


def test_what_is_issued_can_be_served_by_its_names_and_only_the_owner_reads_its_keys(
    tmp_path: Path,
) -> None:
    data = issued(tmp_path)
    folder = tmp_path / "certs"
    assert data["done"] == "IssuedAuthority"
    assert data["directory"] == str(folder)
    assert data["certificate"]["hosts"] == list(LOCAL_HOSTS)
    assert {path.name for path in folder.iterdir()} >= FILES
    for name in ("ca.key", "tls.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    pair = load(folder, now=datetime.now(UTC))
    assert server_context(pair).minimum_version is ssl.TLSVersion.TLSv1_2
    assert set(pair.leaf.hosts) == set(LOCAL_HOSTS)


def test_what_is_good_is_kept_byte_by_byte(tmp_path: Path) -> None:
    issued(tmp_path)
    before = {name: (tmp_path / "certs" / name).read_bytes() for name in FILES}
    assert issued(tmp_path)["done"] == "Kept"
    assert {name: (tmp_path / "certs" / name).read_bytes() for name in FILES} == before


def test_a_host_more_issues_a_leaf_of_the_same_ca_and_keeps_the_old_hosts(tmp_path: Path) -> None:
    issued(tmp_path)
    authority = (tmp_path / "certs" / "ca.crt").read_bytes()
    data = issued(tmp_path, "--host", "nbgate.kubeflow.svc")
    assert data["done"] == "IssuedLeaf"
    assert {"nbgate.kubeflow.svc", *LOCAL_HOSTS} <= set(data["certificate"]["hosts"])
    assert (tmp_path / "certs" / "ca.crt").read_bytes() == authority


def test_hosts_may_stand_several_times_and_in_a_variable(tmp_path: Path) -> None:
    flagged = issued(tmp_path / "a", "--host", "a.example", "--host", "2001:db8::1")
    told = nbgate(
        tmp_path / "b",
        *("certs", "issue", "-o", "json"),
        NBGATE_CERTS_ISSUE_HOST="a.example 2001:db8::1",
    ).json
    assert flagged["certificate"]["hosts"] == ["a.example", "2001:db8::1"]
    assert told["certificate"]["hosts"] == flagged["certificate"]["hosts"]


@pytest.mark.parametrize("named", ["flag", "variable"])
def test_it_writes_where_it_is_told(tmp_path: Path, named: str) -> None:
    folder = tmp_path / "a" / "b"
    if named == "flag":
        ended = nbgate(tmp_path, "certs", "issue", "--dir", folder)
    else:
        ended = nbgate(tmp_path, "certs", "issue", NBGATE_CERTS_ISSUE_DIR=str(folder))
    assert ended.code == 0
    assert {path.name for path in folder.iterdir()} >= FILES
    assert not (tmp_path / "certs").exists()


def test_what_to_do_next_names_the_folder_that_was_named(tmp_path: Path) -> None:
    other = tmp_path / "other"
    out = nbgate(tmp_path, "certs", "issue", "--dir", other).out
    assert f"nbgate certs show --ca-bundle {other}\n" in out
    assert "nbgate certs show --ca-bundle\n" in nbgate(tmp_path, "certs", "issue").out


def test_lifetimes_are_as_told(tmp_path: Path) -> None:
    issued(tmp_path, "--days", "30", "--ca-days", "300")
    leaf, authority = shown(tmp_path)
    now = datetime.now(UTC)
    assert abs(datetime.fromisoformat(leaf["notAfter"]) - now - 30 * DAY) < DAY / 24
    assert abs(datetime.fromisoformat(authority["notAfter"]) - now - 300 * DAY) < DAY / 24


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--days", "0"),
        ("--days", "826"),
        ("--days", "x"),
        ("--ca-days", "1"),
        ("--ca-days", "36501"),
    ],
)
def test_a_lifetime_out_of_bounds_is_bad_usage(tmp_path: Path, flag: str, value: str) -> None:
    ended = nbgate(tmp_path, "certs", "issue", flag, value)
    assert ended.code == 2
    assert flag in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "host", ["", "a b", "a_b.", "-a", "*", "*.com", "1.2.3.4.5", "\x1b[31m", "ä.de"]
)
def test_a_host_that_is_none_is_refused_with_the_cure_and_nothing_is_written(
    tmp_path: Path, host: str
) -> None:
    ended = nbgate(tmp_path, "certs", "issue", "--host", "good.example", "--host", host)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("nbgate: host ")
    assert ended.err.rstrip("\n").isprintable()
    assert list(tmp_path.iterdir()) == []


def test_somebody_else_s_certificates_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    pem = self_issued()
    (tmp_path / "certs" / "tls.crt").write_bytes(pem)
    ended = nbgate(tmp_path, "certs", "issue")
    assert (ended.code, ended.out) == (2, "")
    assert str(tmp_path / "certs") in ended.err
    assert (tmp_path / "certs" / "tls.crt").read_bytes() == pem


def test_a_folder_that_cannot_be_written_is_the_surroundings_fault(tmp_path: Path) -> None:
    ended = nbgate(tmp_path, "certs", "issue", "--dir", "/proc/nbgate")
    assert (ended.code, ended.out) == (3, "")
    assert "/proc/nbgate: cannot be written" in ended.err


# -- show ------------------------------------------------------------------------------------------


def test_a_good_folder_is_shown_without_problems(tmp_path: Path) -> None:
    issued(tmp_path)
    rows = shown(tmp_path)
    assert [(row["file"], row["isCA"]) for row in rows] == [("tls.crt", False), ("ca.crt", True)]
    assert all(row["problems"] == [] for row in rows)
    assert rows[0]["issuer"] == rows[1]["subject"]
    assert nbgate(tmp_path, "certs", "show").code == 0


def test_the_bundle_is_the_ca_as_a_webhook_configuration_takes_it(tmp_path: Path) -> None:
    issued(tmp_path)
    pem = (tmp_path / "certs" / "ca.crt").read_bytes()
    for place in ((), (tmp_path / "certs",), (tmp_path / "certs" / "ca.crt",)):
        out = nbgate(tmp_path, "certs", "show", "--ca-bundle", *place).out
        assert base64.b64decode(out, validate=False) == pem
        assert out.count("\n") == 1


def spoil(folder: Path, how: str) -> None:
    other = folder.parent / "other"
    if how == "expired":
        (folder / "tls.crt").write_bytes(self_issued(days=-1))
    elif how == "no key":
        (folder / "tls.key").unlink()
    elif how == "another's key":
        ensure(other, ["x.example"], now=datetime.now(UTC))
        (folder / "tls.key").write_bytes((other / "tls.key").read_bytes())
    elif how == "no key at all":
        (folder / "tls.key").write_text("nonsense")
    elif how == "no host":
        (folder / "tls.crt").write_bytes(self_issued(hosts=()))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("expired", "expired"),
        ("no key", "tls.key is missing"),
        ("another's key", "private key"),
        ("no key at all", "not a private key"),
        ("no host", "host"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_and_exits_1(
    tmp_path: Path, how: str, words: str
) -> None:
    issued(tmp_path)
    spoil(tmp_path / "certs", how)
    ended = nbgate(tmp_path, "certs", "show")
    assert (ended.code, ended.err) == (1, "")
    assert words in ended.out
    assert any(words in problem for problem in shown(tmp_path)[0]["problems"])


def test_a_ca_that_has_ended_is_said(tmp_path: Path) -> None:
    ensure(
        tmp_path / "certs",
        ["a.example"],
        now=datetime.now(UTC) - 20 * DAY,
        leaf_lifetime=2 * DAY,
        authority_lifetime=9 * DAY,
    )
    leaf, authority = shown(tmp_path)
    assert "expired" in leaf["problems"][0]
    assert "expired" in authority["problems"][0]
    assert nbgate(tmp_path, "certs", "show").code == 1


@pytest.mark.parametrize(
    "content", [b"", b"hi", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"\xff\x00" * 9, None]
)
@pytest.mark.parametrize("flags", [(), ("--ca-bundle",)])
def test_what_holds_no_certificate_is_told_with_its_place(
    tmp_path: Path, content: bytes | None, flags: tuple[str, ...]
) -> None:
    path = tmp_path / "one.pem"
    if content is not None:
        path.write_bytes(content)
    ended = nbgate(tmp_path, "certs", "show", path, *flags)
    assert (ended.code, ended.out) == (2, "")
    assert str(path) in ended.err
    assert "internal error" not in ended.err


def test_every_certificate_of_a_file_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(self_issued("one") + b"text between\n" + self_issued("two"))
    assert [row["subject"] for row in shown(tmp_path, path)] == ["CN=one", "CN=two"]


@pytest.mark.parametrize("name", ["[/x]", "[bold]a", ":100:", "\x1b[31mred\x1b]0;t\x07"])
def test_a_subject_is_printed_as_it_is_but_for_what_a_terminal_obeys(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "one.pem"
    path.write_bytes(self_issued(name))
    ended = nbgate(tmp_path, "certs", "show", path)
    assert (ended.code, ended.err) == (0, "")
    assert all(line.isprintable() for line in ended.out.splitlines())
    assert not name.isprintable() or f"CN={name}" in ended.out


def test_an_ipv6_address_is_printed_as_it_is(tmp_path: Path) -> None:
    """Rich makes an emoji of `:100:` unless it is told not to."""
    assert "2001:100::1" in nbgate(tmp_path, "certs", "issue", "--host", "2001:100::1").out
    assert "2001:100::1" in nbgate(tmp_path, "certs", "show").out


def outputs(home: Path, *words: str) -> list[Ended]:
    return [nbgate(home, "certs", *words, "-o", output) for output in ("table", "json", "yaml")]


@pytest.mark.parametrize("words", [("issue",), ("show",)])
def test_no_private_key_is_ever_printed(tmp_path: Path, words: tuple[str, ...]) -> None:
    issued(tmp_path)
    for ended in outputs(tmp_path, *words):
        for name in ("ca.key", "tls.key"):
            secret = (tmp_path / "certs" / name).read_text().splitlines()[1]
            assert secret not in ended.out + ended.err
