"""`nbgate certs rotate --dir` and what is bad usage; with a cluster it is in tests/cluster/test_certificates.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from certs.certificate import describe
from tests.cli.running import nbgate
from tests.cli.test_certs import self_issued


def test_three_runs_change_a_folder_over_and_say_what_to_do_between(tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    nbgate(tmp_path, "certs", "issue")
    (old,) = describe((folder / "ca.crt").read_bytes())
    first = nbgate(tmp_path, "certs", "rotate", "--dir", folder)
    assert (first.code, first.err) == (0, "")
    assert "ca.crt holds both" in first.out
    assert f"nbgate certs show --ca-bundle {folder}" in first.out
    second = nbgate(tmp_path, "certs", "rotate", "-o", "json", NBGATE_CERTS_ROTATE_DIR=str(folder))
    assert second.json["done"] == "ChangedOver"
    assert [one["fingerprint"] for one in second.json["authorities"]][1] == old.fingerprint
    third = nbgate(tmp_path, "certs", "rotate", "--dir", folder, "-o", "yaml")
    assert third.yaml["done"] == "Finished"
    assert nbgate(tmp_path, "certs", "show").code == 0


def test_no_key_is_printed(tmp_path: Path) -> None:
    nbgate(tmp_path, "certs", "issue")
    for output in ("table", "json", "yaml"):
        ended = nbgate(tmp_path, "certs", "rotate", "--dir", tmp_path / "certs", "-o", output)
        assert "PRIVATE" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--dir", "certs", "--now"), "--dir: what --now and --wait mean is yours"),
        (("--dir", "certs", "--wait"), "--dir: what --now and --wait mean is yours"),
        (("--dir", "/nowhere/certs"), "/nowhere/certs: no such directory"),
        (("--timeout", "soon"), "--timeout: must be a duration"),
        (("--nothing",), "No such option"),
    ],
)
def test_bad_usage_is_said(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    ended = nbgate(tmp_path, "certs", "rotate", *flags)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_somebody_else_s_folder_is_left_alone(tmp_path: Path) -> None:
    nbgate(tmp_path, "certs", "issue")
    (tmp_path / "certs" / "ca.crt").write_bytes(self_issued())
    ended = nbgate(tmp_path, "certs", "rotate", "--dir", tmp_path / "certs")
    assert (ended.code, ended.out) == (2, "")
    assert "somebody else's CA" in ended.err


@pytest.mark.parametrize("command", ["rotate", "inject"])
def test_without_a_cluster_the_cure_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "ca.crt").write_bytes(self_issued())
    flags = ("--ca", tmp_path) if command == "inject" else ()
    nowhere = str(tmp_path / "kubeconfig")
    ended = nbgate(tmp_path, "certs", command, *flags, KUBECONFIG=nowhere)
    assert (ended.code, ended.out) == (3, "")
    assert "set KUBECONFIG" in ended.err


# -- inject --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hi", "no PEM certificate that can be read"),
        (self_issued(days=-1), "not now; give one that does"),
        (None, "no such file"),
    ],
)
def test_what_is_no_ca_to_trust_is_refused(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "ca.crt").write_bytes(content)
    for place in (tmp_path, tmp_path / "ca.crt"):
        ended = nbgate(tmp_path, "certs", "inject", "--ca", place)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("nbgate: --ca: ")
        assert words in ended.err


def test_a_server_s_certificate_instead_of_its_ca_is_refused(tmp_path: Path) -> None:
    nbgate(tmp_path, "certs", "issue")
    ended = nbgate(tmp_path, "certs", "inject", "--ca", tmp_path / "certs" / "tls.crt")
    assert ended.code == 2
    assert "is no CA; give the one that issued it" in ended.err


def test_the_ca_may_stand_in_a_variable(tmp_path: Path) -> None:
    ended = nbgate(tmp_path, "certs", "inject", NBGATE_CERTS_INJECT_CA=str(tmp_path / "no"))
    assert (ended.code, "no: no such file" in ended.err) == (2, True)
    assert nbgate(tmp_path, "certs", "inject").code == 2
