"""What fuzzing has found, one test each: the sentence that did not hold."""

from contextlib import closing
from pathlib import Path

import pytest

from certs.rotationstate import read_state
from tests.fuzz.certificates import pairs
from tests.fuzz.kept import DIGEST, _layers
from tests.fuzz.logins import SECRET
from tests.fuzz.played import played_source
from tests.fuzz.registries import _playing
from tests.fuzz.target import processor_time
from webhook.core.document import format_time, parse_time
from webhook.kube import PODS
from webhook.kubeerrors import Asked, KubeError, refusal
from webhook.kubelist import BrokenList, ListReader
from webhook.scanner.errors import SourceError, Unreachable
from webhook.scanner.layers.cacheformat import NoEntry, decode
from webhook.scanner.probes.asking import Silence, ask
from webhook.scanner.probes.views import View
from webhook.scanner.sources.credentialfiles import read_auth_file
from webhook.stores.scanfile import read_scans
from webhook.stores.snapshotformat import moments


@pytest.mark.parametrize("line", [b"\n", b" \n", b" \r\n", b"# comment\n\n"])
def test_thousands_of_blank_lines_before_a_document_take_no_time(line: bytes) -> None:
    with processor_time(5):
        found = read_scans(line * 5_000 + b"kind: ConfigMap\n", "scans.yaml")
    assert found.foreign == 1


@pytest.mark.parametrize("before", [b"", b"\n\n", b"# a\n \n"])
def test_a_directive_is_refused_behind_blank_lines_and_comments_too(before: bytes) -> None:
    found = read_scans(before + b"%YAML 1.1\n---\nkind: ImageScan\n", "scans.yaml")
    assert "directive" in str(found.problems[0])


def test_a_number_of_thousands_of_digits_in_a_list_of_objects_is_a_broken_list() -> None:
    with pytest.raises(BrokenList, match="digits"):
        ListReader().feed(b'{"items":[{"a":' + b"9" * 5000 + b"}]}")


@pytest.mark.parametrize(
    "said",
    [
        b"Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        b"Mon, 01 Jan 2024 00:00:00 +9999999999999999",
    ],
)
def test_a_registry_that_asks_for_patience_until_no_time_at_all_is_only_busy(said: bytes) -> None:
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: " + said + b"\r\n\r\n"
    with (
        closing(played_source([answer] * 3, "registry.example.com/x:v1")) as source,
        pytest.raises(Unreachable, match="busy"),
    ):
        source.top()


@pytest.mark.parametrize("year", ["0001", "0999", "1000", "9999"])
def test_a_time_that_is_written_can_be_read_again(year: str) -> None:
    text = f"{year}-06-01T12:34:56Z"
    assert format_time(parse_time(text)) == text


@pytest.mark.parametrize("age", ["nan", "inf", "-inf"])
def test_what_was_known_is_never_of_an_age_that_no_limit_is_below(age: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        moments({"scans": age})


def test_a_kept_layer_names_no_file_of_the_home_elsewhere() -> None:
    with pytest.raises(NoEntry):
        decode(DIGEST, _layers()[0].replace(b"home/jovyan/work/a", b"work/a"))


def test_what_a_container_sends_instead_of_http_is_quoted_in_part_only() -> None:
    with _playing(b"x" * 60_000 + b"\r\n\r\n") as plays:
        found = ask(plays, View(), "/", {})
    assert isinstance(found, Silence)
    assert len(found.reason) < 300


def test_a_ca_without_its_key_that_is_kept_as_a_former_one_too_counts_once() -> None:
    pem = pairs()[b"ca"].certificate_pem
    state = read_state({"ca.crt": pem, "previous.crt": pem})
    assert len(state.formers) == 1


def test_a_conflict_whose_reason_is_no_text_is_an_error_of_the_api_server_s() -> None:
    error = refusal(Asked(verb="get", resource=PODS), 409, b'{"kind":"Status","reason":[]}')
    assert isinstance(error, KubeError)


@pytest.mark.parametrize(
    "text",
    [
        """{'x/v1/":{"auth":"hunter2hunter2"}': 1}""",
        '{"auths": {"https://x/v1/\\":{hunter2hunter2": 1}}',
        '{"auths": {"hunter2hunter2": 1}}',
        '{"credHelpers": {"a.b{hunter2hunter2": 1}}',
        *(f"a: {mark}hunter2hunter2" for mark in "*&!"),
        "hunter2hunter2: 1\nhunter2hunter2: 2",
    ],
)
def test_what_is_wrong_with_a_file_of_logins_is_told_in_no_word_of_it(
    text: str, tmp_path: Path
) -> None:
    said = []
    for name in (".dockercfg", "config.json"):
        (tmp_path / name).write_text(text)
        try:
            read_auth_file(tmp_path / name)
        except SourceError as error:
            said.append(str(error))
    assert said
    assert SECRET not in "".join(said)


def test_a_host_in_a_file_of_logins_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"auths": {"https://registry.example.com:5000/team": 1}}')
    with pytest.raises(SourceError, match=r"auths\.https://registry.example.com:5000/team must be"):
        read_auth_file(path)
