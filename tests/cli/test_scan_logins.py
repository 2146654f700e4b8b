"""Logins for podman: one file of the form that it reads, of all that were named, and gone afterwards."""

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from webhook.cli.scanlogins import merged_logins
from webhook.scanner.errors import SourceError

HOST = "registry.example.com"


def auth(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:secret".encode()).decode()}


def write(path: Path, **document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def merged(*named: Path, **environ: str) -> Any:
    with merged_logins(named, environ) as path:
        return json.loads(path.read_bytes())


def test_what_the_first_file_says_holds_and_the_user_s_own_come_last(tmp_path: Path) -> None:
    first = write(tmp_path / "a.json", auths={HOST: auth("first")}, credHelpers={"a.b": "one"})
    second = write(
        tmp_path / "b.json",
        auths={HOST: auth("second"), f"{HOST}/team": auth("team")},
        credHelpers={"a.b": "two"},
    )
    (tmp_path / "config.json").write_text(
        json.dumps({"auths": {HOST: auth("own"), "https://index.docker.io/v1/": auth("hub")}})
    )
    assert merged(first, second, DOCKER_CONFIG=str(tmp_path)) == {
        "auths": {
            HOST: auth("first"),
            f"{HOST}/team": auth("team"),
            "docker.io": auth("hub"),
        },
        "credHelpers": {"a.b": "one"},
    }


def test_a_pull_secret_is_read(tmp_path: Path) -> None:
    data = base64.b64encode(json.dumps({"auths": {HOST: auth("robot")}}).encode()).decode()
    secret = write(
        tmp_path / "secret.json",
        apiVersion="v1",
        kind="Secret",
        type="kubernetes.io/dockerconfigjson",
        data={".dockerconfigjson": data},
    )
    assert merged(secret)["auths"] == {HOST: auth("robot")}


def test_an_identity_token_is_kept(tmp_path: Path) -> None:
    entry = {**auth("me"), "identitytoken": "t"}
    assert merged(write(tmp_path / "a.json", auths={HOST: entry}))["auths"] == {HOST: entry}


def test_nobody_else_can_read_it_and_it_goes(tmp_path: Path) -> None:
    with merged_logins([write(tmp_path / "a.json", auths={HOST: auth("me")})], {}) as path:
        assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
    assert not path.exists()


def test_it_leaves_no_logins_where_we_are_killed(tmp_path: Path) -> None:
    named = write(tmp_path / "a.json", auths={HOST: auth("me")})
    code = (
        "import os, pathlib, sys; from webhook.cli.scanlogins import merged_logins\n"
        "with merged_logins([pathlib.Path(sys.argv[1])], {}) as path:\n"
        "    print(len(path.read_bytes()), flush=True); os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "tmp").mkdir()
    killed = subprocess.run(
        [sys.executable, "-c", code, named],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -9
    assert int(killed.stdout) > len(HOST)
    assert not list((tmp_path / "tmp").iterdir())


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(SourceError, match=str(bad)):
        merged(bad)


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
def test_podman_finds_each_login_in_it(tmp_path: Path) -> None:
    named = write(
        tmp_path / "a.json",
        auths={HOST: auth("host"), f"{HOST}/team": auth("team"), "*.example.org": auth("pattern")},
    )
    with merged_logins([named], {}) as path:
        for place, user in ((HOST, "host"), (f"{HOST}/team", "team")):
            told = subprocess.run(
                ["podman", "login", "--get-login", "--authfile", path, place],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            assert told.stdout.strip() == user
