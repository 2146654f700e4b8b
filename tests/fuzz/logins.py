"""Files with logins: Docker's, and pull secrets."""

import base64

import orjson

from tests.fuzz.folders import fresh_folder
from tests.fuzz.target import Target, one_line
from webhook.core.reference import parse
from webhook.scanner.errors import SourceError
from webhook.scanner.sources.credentialfiles import read_auth_file, read_user_file
from webhook.scanner.sources.credentials import AuthFile, Credentials, find_credentials

_NAMES = ("config.json", ".dockerconfigjson", ".dockercfg", "auth.yaml")
_IMAGES = ("nginx", "registry.example.com:5000/team/notebook:v1", "[::1]:5000/x")
# Words of a secret that a message must never show.
SECRET = "hunter2hunter2"
_ENCODED = base64.b64encode(f"user:{SECRET}".encode())


def check_logins(data: bytes) -> None:
    """A file is read and searched, or a SourceError says in a line why not; neither shows a password."""
    with fresh_folder() as folder:
        for name in _NAMES:
            path = folder / name
            path.write_bytes(data)
            for read in (read_auth_file, read_user_file):
                try:
                    found = read(path)
                except SourceError as error:
                    one_line(str(error))
                    _check_secrecy(str(error))
                    continue
                assert found is not None
                _search(found)


def _check_secrecy(message: str) -> None:
    assert SECRET not in message
    assert _ENCODED.decode() not in message


def _search(found: AuthFile) -> None:
    assert SECRET not in repr(found)
    for image in _IMAGES:
        credentials = find_credentials(parse(image), found, _ask)
        if credentials is not None:
            assert credentials.basic.isascii()


def _ask(source: str, helper: str, server: str) -> Credentials | None:
    """Stand for a helper, a program that is named here and never run."""
    assert helper.isascii()
    assert "/" not in helper
    assert server
    return Credentials(source=source, user="a", password="b")


def _files() -> list[bytes]:
    auths = {
        "https://index.docker.io/v1/": {"auth": _ENCODED.decode()},
        "*.example.com:5000/team": {"username": "a", "password": SECRET},
        "[::1]:5000": {"identitytoken": "t"},
    }
    config = {"auths": auths, "credHelpers": {"gcr.io": "gcloud"}, "credsStore": "desktop"}
    packed = base64.b64encode(orjson.dumps({"auths": auths})).decode()
    secret = {"kind": "Secret", "apiVersion": "v1", "data": {".dockerconfigjson": packed}}
    return [orjson.dumps(config), orjson.dumps(auths), orjson.dumps(secret)]


TARGETS = (
    Target(
        name="logins",
        check=check_logins,
        seeds=_files,
        words=(
            b'"auths":{',
            b'"credHelpers":{',
            b'"auth":"',
            b'"stringData":{',
            b".dockercfg",
            b"https://",
            b"[a-",
        ),
    ),
)
