"""Credential helpers as real programs: honest, silent, chatty, stuck."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.scanner.sources.talking import refused
from webhook.scanner.errors import SourceError
from webhook.scanner.sources.credentialhelper import SIZE_LIMIT, ask_helper
from webhook.scanner.sources.credentials import Credentials


def ask(folder: Path, script: str, seconds: float = 5) -> Credentials | None:
    """Ask the helper `test`, which is this shell script, for registry.tests."""
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    environ = {"PATH": f"{folder}:{os.environ['PATH']}"}
    return ask_helper("config.json", "test", "registry.tests", environ, seconds=seconds)


def test_a_helper_is_asked_for_the_server_and_its_login_is_taken(tmp_path: Path) -> None:
    script = 'read server\nprintf \'{"ServerURL":"%s","Username":"%s","Secret":"%s"}\' "$server" "$1" "$server"'
    login = ask(tmp_path, script)
    assert login is not None
    assert (login.user, login.password) == ("get", "registry.tests")
    assert login.source == "config.json, docker-credential-test"


def test_an_identity_token_is_known_by_its_user(tmp_path: Path) -> None:
    login = ask(tmp_path, """echo '{"Username": "<token>", "Secret": "t"}'""")
    assert login is not None
    assert (login.identity_token, login.user, login.password) == ("t", "", "")


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_helper_that_has_no_login_is_believed(tmp_path: Path, where: str) -> None:
    assert ask(tmp_path, f"echo credentials not found in native keychain {where}; exit 1") is None


def test_a_helper_that_fails_is_named_with_its_complaint(tmp_path: Path) -> None:
    message = refused(SourceError, lambda: ask(tmp_path, "echo no bus >&2; echo secret; exit 3"))
    assert "docker-credential-test failed with code 3: no bus" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "output", ["secret", "{}", "[]", '{"Username": "u", "Secret": 1, "x": "secret"}', ""]
)
def test_a_helper_that_gives_no_login_is_named_and_what_it_gave_is_not_shown(
    tmp_path: Path, output: str
) -> None:
    message = refused(SourceError, lambda: ask(tmp_path, f"echo '{output}'"))
    assert "docker-credential-test" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "script", ["sleep 60", "sleep 60 & exit 0", "exec >&- 2>&-; sleep 60", "trap '' TERM; sleep 60"]
)
def test_a_helper_that_does_not_end_is_ended(tmp_path: Path, script: str) -> None:
    begun = time.monotonic()
    assert "did not end" in refused(SourceError, lambda: ask(tmp_path, script, seconds=0.3))
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_helper_that_says_too_much_is_ended(tmp_path: Path, where: str) -> None:
    assert str(SIZE_LIMIT) in refused(SourceError, lambda: ask(tmp_path, f"cat /dev/zero {where}"))


def test_a_helper_that_is_not_there_is_named(tmp_path: Path) -> None:
    asked = lambda: ask_helper("f", "gone", "s", {"PATH": str(tmp_path)})  # noqa: E731  # asked below
    assert "docker-credential-gone is not on PATH" in refused(SourceError, asked)


def test_a_helper_that_is_no_program_is_named(tmp_path: Path) -> None:
    program = tmp_path / "docker-credential-test"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    with pytest.raises(SourceError, match="cannot be started"):
        ask_helper("f", "test", "s", {"PATH": str(tmp_path)})
