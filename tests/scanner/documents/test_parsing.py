import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.scanner.documents.samples import (
    config_json,
    descriptor_json,
    encoded,
    index_json,
    manifest_json,
    named,
)
from webhook.scanner.documents.configs import read_config
from webhook.scanner.documents.manifests import read_index, read_manifest
from webhook.scanner.documents.parsing import DOCUMENT_LIMIT, read_object
from webhook.scanner.errors import BadContent
from webhook.scanner.mediatypes import OCI_CONFIG, OCI_INDEX


def _read(data: bytes) -> Mapping[str, Any]:
    return read_object("config sha256:0", data, lambda source: source)


@pytest.mark.parametrize("piece", [b"[", b'{"a":'])
def test_json_of_a_hundred_thousand_levels_is_refused_at_once(piece: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(BadContent, match=r"config sha256:0: is not JSON"):
        _read(b'{"config":' + piece * 100_000)
    assert time.monotonic() - start < 1


def test_well_formed_json_of_more_levels_than_documents_have_is_refused() -> None:
    assert _read(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}")
    with pytest.raises(BadContent, match="nests deeper than 254 levels"):
        _read(b'{"a":' + b"[" * 300 + b"]" * 300 + b"}")


def test_a_document_longer_than_runtimes_read_is_refused_whatever_it_holds() -> None:
    assert _read(b'{"a":1}'.ljust(DOCUMENT_LIMIT)) == {"a": 1}
    with pytest.raises(BadContent, match=f"has {DOCUMENT_LIMIT + 1} bytes"):
        _read(b'{"a":1}'.ljust(DOCUMENT_LIMIT + 1))


@pytest.mark.parametrize(
    "item", [b"{}", b"[]", b"1", b"[" * 200 + b"]" * 200, b'{"":' * 200 + b"1" + b"}" * 200]
)
def test_a_document_of_very_many_values_is_refused(item: bytes) -> None:
    count = 300_000 // (item.count(b"[") + item.count(b"{") or 1)
    with pytest.raises(BadContent, match="more than 250000 values"):
        _read(b'{"a":[' + (item + b",") * count + b"1]}")


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b'"text"', b"1", b"\xff", b"{", b"{}{}"])
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(BadContent, match="config sha256:0: "):
        _read(text)


def test_a_key_that_stands_twice_is_refused_with_its_path() -> None:
    with pytest.raises(BadContent, match=r"config\.User stands twice;"):
        _read(b'{"config":{"User":"1000","User":"root"}}')


def test_a_key_written_twice_by_an_escape_is_refused() -> None:
    with pytest.raises(BadContent, match=r"config\.User stands twice;"):
        _read(rb'{"config":{"User":"1000","\u0055ser":"root"}}')


def test_a_nul_in_a_text_is_refused_with_its_path() -> None:
    with pytest.raises(BadContent, match=r"config\.Env\[0\] holds a NUL"):
        _read(rb'{"config":{"Env":["A=\u0000"]}}')


@pytest.mark.parametrize(
    ("key", "name"), [("user", "User"), ("ENV", "Env"), ("LABEL\u017f", "Labels"), ("cmd", "Cmd")]
)
def test_a_key_that_go_takes_for_another_is_refused(key: str, name: str) -> None:
    with pytest.raises(BadContent, match=f"config has the key .*, which runtimes take for {name};"):
        read_config(*named(encoded(config_json(**{key: None})), OCI_CONFIG))


def test_keys_that_runtimes_take_for_others_are_refused_everywhere() -> None:
    with pytest.raises(BadContent, match="take for layers"):
        read_manifest(*named(encoded(manifest_json(Layers=[]))))
    with pytest.raises(BadContent, match=r"layers\[0\] has the key 'Digest'"):
        read_manifest(*named(encoded(manifest_json(layers=[descriptor_json(Digest="")]))))
    child = descriptor_json(platform={"OS": "windows", "os": "linux", "architecture": "amd64"})
    with pytest.raises(BadContent, match=r"manifests\[0\]\.platform has the key 'OS'"):
        read_index(*named(encoded(index_json(child)), OCI_INDEX))


def test_a_message_is_one_printable_line_however_long_and_foul_the_path_is() -> None:
    step = "\n\x1b[31m" + "x" * 1000
    deep = "".join(
        f'{{"{step}":'.replace("\n", r"\n").replace("\x1b", r"\u001b") for _ in range(99)
    )
    with pytest.raises(BadContent) as caught:
        _read((deep + r'"\u0000"' + "}" * 99).encode())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700
