"""Which login is meant for which repository, in every form in which logins are kept."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.scanner.sources.talking import refused
from webhook.core.reading import Malformed
from webhook.core.reference import parse
from webhook.scanner.errors import SourceError
from webhook.scanner.sources.credentialfiles import (
    SIZE_LIMIT,
    read_auth_file,
    read_user_file,
    user_files,
)
from webhook.scanner.sources.credentials import (
    AuthFile,
    Credentials,
    find_credentials,
    parse_config,
)
from webhook.scanner.sources.logins import find_login


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def auths(*keys: str) -> dict[str, Any]:
    """Write a config in which each key's user is called like the key."""
    return {"auths": {key: {"username": key, "password": "secret"} for key in keys}}


def nobody(_source: str, _name: str, _server: str) -> Credentials | None:
    raise AssertionError("no helper is meant")


def user_for(image: str, file: AuthFile) -> str | None:
    found = find_credentials(parse(image), file, nobody)
    return None if found is None else found.user


@pytest.mark.parametrize(
    ("key", "image"),
    [
        ("registry.tests", "registry.tests/a/b"),
        ("https://registry.tests", "registry.tests/a"),
        ("https://registry.tests/v2/", "registry.tests/a"),
        ("http://registry.tests/v1", "registry.tests/a"),
        ("registry.tests:5000", "registry.tests:5000/a"),
        ("registry.tests/a", "registry.tests/a/b"),
        ("registry.tests/a/b", "registry.tests/a/b"),
        ("*.tests", "registry.tests/a"),
        ("reg?stry.*", "registry.tests/a"),
        ("*.tests:5000/a", "registry.tests:5000/a/b"),
        ("[::1]:5000", "[::1]:5000/a"),
        ("https://index.docker.io/v1/", "nginx"),
        ("docker.io", "nginx"),
        ("registry-1.docker.io", "docker.io/a/b"),
        ("docker.io/library", "nginx"),
    ],
)
def test_a_key_means_a_repository(key: str, image: str) -> None:
    assert user_for(image, parse_config(auths(key), "file")) == key


@pytest.mark.parametrize(
    ("key", "image"),
    [
        ("registry.tests", "registry.tests.evil.example/a"),
        ("registry.tests", "registry.tests:5000/a"),
        ("registry.tests:5000", "registry.tests/a"),
        ("registry.tests/a", "registry.tests/ab"),
        ("registry.tests/a/b", "registry.tests/a"),
        ("*.tests", "tests.example/a"),
        ("*.tests", "a.b.tests/a"),
        ("*", "registry.tests/a"),
        ("*.tests", "registry.tests:5000/a"),
        ("docker.io.evil.example", "nginx"),
        ("", "registry.tests/a"),
    ],
)
def test_a_key_does_not_mean_a_repository(key: str, image: str) -> None:
    assert user_for(image, parse_config(auths(key), "file")) is None


def test_the_key_that_says_most_holds_wherever_it_stands() -> None:
    keys = ("*.tests", "registry.tests", "*.tests/a", "registry.tests/a", "registry.tests/a/b")
    for order in (keys, keys[::-1]):
        file = parse_config(auths(*order), "file")
        assert user_for("registry.tests/x", file) == "registry.tests"
        assert user_for("registry.tests/a/x", file) == "registry.tests/a"
        assert user_for("registry.tests/a/b", file) == "registry.tests/a/b"
        assert user_for("other.tests/a", file) == "*.tests/a"


def test_a_password_may_hold_colons_and_anything() -> None:
    file = parse_config({"auths": {"registry.tests": {"auth": encoded("u:p:\u00e9: ")}}}, "file")
    found = find_credentials(parse("registry.tests/a"), file, nobody)
    assert found is not None
    assert (found.user, found.password) == ("u", "p:\u00e9: ")
    assert base64.b64decode(found.basic.removeprefix("Basic ")).decode() == "u:p:\u00e9: "


def test_an_entry_that_a_helper_left_empty_is_no_login() -> None:
    assert (
        user_for("registry.tests/a", parse_config({"auths": {"registry.tests": {}}}, "f")) is None
    )


def test_helpers_are_asked_for_their_host_then_logins_then_the_helper_for_all_others() -> None:
    asked = []

    def ask(_source: str, name: str, server: str) -> Credentials | None:
        asked.append((name, server))
        return None

    document = auths("b.tests") | {
        "credHelpers": {"a.tests": "cloud", "docker.io": "hub"},
        "credsStore": "chain",
    }
    file = parse_config(document, "file")
    for image in ("a.tests/x", "b.tests/x", "c.tests/x", "nginx"):
        find_credentials(parse(image), file, ask)
    assert asked == [
        ("cloud", "a.tests"),
        ("chain", "c.tests"),
        ("hub", "https://index.docker.io/v1/"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"auths": []},
        {"auths": {"a": "x"}},
        {"auths": {"a": {"auth": "!"}}},
        {"auths": {"a": {"auth": encoded("no colon")}}},
        {"auths": {"a": {"username": 1}}},
        {"credsStore": "../../bin/sh"},
        {"credsStore": 1},
        {"credHelpers": {"a": "a b"}},
        {"credHelpers": {"a": None}},
    ],
)
def test_a_config_of_another_form_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_config(document, "file")


def test_nothing_of_a_login_is_shown() -> None:
    login = Credentials(source="f", user="secret1", password="secret2", identity_token="secret3")
    assert "secret" not in repr(login)


# --- files


def secret(kind: str, name: str, content: dict[str, Any], *, plain: bool = False) -> dict[str, Any]:
    text = json.dumps(content)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        **({"stringData": {name: text}} if plain else {"data": {name: encoded(text)}}),
    }


YAML = """\
# kubectl get secret pull -o yaml
apiVersion: v1
kind: Secret
type: kubernetes.io/dockerconfigjson
data:
  .dockerconfigjson: {}
"""
KEYS = ("kubernetes.io/dockerconfigjson", ".dockerconfigjson")
OLD_KEYS = ("kubernetes.io/dockercfg", ".dockercfg")
OLD = {"registry.tests": {"auth": encoded("me:hunter2")}}
NEW = {"auths": OLD}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", json.dumps(NEW)),
        (".dockerconfigjson", json.dumps(NEW)),
        (".dockercfg", json.dumps(OLD)),
        ("secret.json", json.dumps(secret(*KEYS, NEW))),
        ("secret.json", json.dumps(secret(*KEYS, NEW, plain=True))),
        ("secret.json", json.dumps(secret(*OLD_KEYS, OLD))),
        ("secret.yaml", YAML.format(encoded(json.dumps(NEW)))),
        ("many.yaml", "kind: ConfigMap\n---\n" + YAML.format(encoded(json.dumps(NEW)))),
    ],
)
def test_a_login_is_found_in_every_form(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert user_for("registry.tests/a", read_auth_file(path)) == "me"


@pytest.mark.parametrize(("name", "content"), [(".dockerconfigjson", NEW), (".dockercfg", OLD)])
def test_a_login_is_found_where_a_secret_is_mounted(
    tmp_path: Path, name: str, content: dict[str, Any]
) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    assert user_for("registry.tests/a", read_auth_file(tmp_path)) == "me"


def test_a_secret_chooses_no_program_to_run(tmp_path: Path) -> None:
    evil = NEW | {"credsStore": "evil", "credHelpers": {"registry.tests": "evil"}}
    manifest, mounted = tmp_path / "secret.json", tmp_path / "mounted"
    manifest.write_text(json.dumps(secret(*KEYS, evil)))
    mounted.mkdir()
    (mounted / ".dockerconfigjson").write_text(json.dumps(evil))
    for path in (manifest, mounted):
        file = read_auth_file(path)
        assert (file.store, dict(file.helpers)) == (None, {})
        assert user_for("registry.tests/a", file) == "me"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "auths: [",
        "1",
        "a: 1\n---\nb: 2\n",
        json.dumps(secret(*KEYS, NEW)).replace("data", "date"),
        '{"kind": "Secret", "data": {".dockerconfigjson": "!"}}',
        '{"kind": "Secret", "data": {".dockerconfigjson": "e30="}} x',
        '{"kind": "Secret", "data": {".dockerconfigjson": "W10="}}',
        '{"auths": {"a": {"auth": "hunter2"}}}',
        "\0",
        " " * (SIZE_LIMIT + 1),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_its_secrets_are_not_shown(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "auth.json"
    path.write_text(text)
    message = refused(SourceError, lambda: read_auth_file(path))
    assert message.startswith(f"{path}: ")
    assert "hunter2" not in message


def test_a_file_or_folder_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert "is not there" in refused(SourceError, lambda: read_auth_file(tmp_path / "x"))
    assert "no pull secret is mounted" in refused(SourceError, lambda: read_auth_file(tmp_path))


def test_a_user_s_own_file_need_not_be_there_but_must_be_sound(tmp_path: Path) -> None:
    assert read_user_file(tmp_path / "x") is None
    assert read_user_file(tmp_path / "config.json" / "x") is None
    (tmp_path / "config.json").write_text("{")
    refused(SourceError, lambda: read_user_file(tmp_path / "config.json"))


def test_the_user_s_files_are_looked_for_where_podman_and_docker_keep_them() -> None:
    environ = {"HOME": "/h", "XDG_RUNTIME_DIR": "/run/u", "REGISTRY_AUTH_FILE": "/a.json"}
    assert [str(path) for path in user_files(environ)] == [
        "/a.json",
        "/run/u/containers/auth.json",
        "/h/.config/containers/auth.json",
        "/h/.docker/config.json",
    ]
    moved = environ | {"DOCKER_CONFIG": "/d", "XDG_CONFIG_HOME": "/c"}
    assert [str(path) for path in user_files(moved)][2:] == [
        "/c/containers/auth.json",
        "/d/config.json",
    ]
    assert user_files({}) == []


def test_a_file_that_was_named_comes_before_the_user_s_own(tmp_path: Path) -> None:
    named, own = tmp_path / "named.json", tmp_path / "own.json"
    named.write_text(json.dumps(auths("a.tests")))
    own.write_text(
        json.dumps({"auths": {host: {"auth": encoded("own:x")} for host in ("a.tests", "b.tests")}})
    )

    def user(image: str) -> str | None:
        found = find_login(parse(image), named=[named], user_files=[own], environ={})
        return None if found is None else found.user

    assert (user("a.tests/x"), user("b.tests/x"), user("c.tests/x")) == ("a.tests", "own", None)
