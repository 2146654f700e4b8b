"""Which login a person has for a repository: the files that were named, then those that podman and docker keep."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from webhook.core.reference import Reference
from webhook.scanner.sources.credentialfiles import read_auth_file, read_user_file
from webhook.scanner.sources.credentialhelper import ask_helper
from webhook.scanner.sources.credentials import AuthFile, Credentials, find_credentials


def find_login(
    reference: Reference,
    *,
    named: Iterable[Path],
    user_files: Iterable[Path],
    environ: Mapping[str, str],
) -> Credentials | None:
    """Look the files through, in their order; None where none has a login for it.

    Raises:
        SourceError: a file that must be read cannot be, or a helper that must be asked does not answer.
    """
    ask = partial(ask_helper, environ=environ)
    found = (find_credentials(reference, file, ask) for file in _files(named, user_files))
    return next((credentials for credentials in found if credentials is not None), None)


def _files(named: Iterable[Path], user_files: Iterable[Path]) -> Iterator[AuthFile]:
    for path in named:
        yield read_auth_file(path)
    for path in user_files:
        file = read_user_file(path)
        if file is not None:
            yield file
