from typing import Any

import pytest

from tests.scanner.documents.samples import config_json, encoded, named
from webhook.scanner.documents.configs import read_config, read_diff_ids
from webhook.scanner.errors import BadContent
from webhook.scanner.image import ImageConfig
from webhook.scanner.mediatypes import OCI_CONFIG


def _read(document: object) -> ImageConfig:
    return read_config(*named(encoded(document), OCI_CONFIG))


def _config(**config: Any) -> ImageConfig:
    return _read(config_json(**config))


def test_everything_a_scan_needs_is_read() -> None:
    found = _config(
        User="jovyan:users",
        Env=["NB_PREFIX=/", "EMPTY=", "X=a=b"],
        ExposedPorts={"8888/tcp": {}, "22": None, "53/udp": {}},
        Entrypoint=["/init"],
        Cmd=["jupyter", "lab"],
        WorkingDir="/home/jovyan",
        Labels={"a": "b"},
        Volumes={"/data": {}},
    )
    assert found == ImageConfig(
        platform="linux/amd64",
        user="jovyan:users",
        env={"NB_PREFIX": "/", "EMPTY": "", "X": "a=b"},
        ports=(22, 8888),
        entrypoint=("/init",),
        command=("jupyter", "lab"),
        working_dir="/home/jovyan",
        labels={"a": "b"},
        volumes=("/data",),
    )


def test_a_missing_config_object_is_all_defaults() -> None:
    default = ImageConfig(platform="linux/amd64")
    assert _read({"os": "linux", "architecture": "amd64"}) == default
    assert _read({"os": "linux", "architecture": "amd64", "config": None}) == default
    assert _config() == default


def test_null_is_as_absent_in_every_field() -> None:
    names = ("User", "Env", "ExposedPorts", "Entrypoint", "Cmd", "WorkingDir", "Labels", "Volumes")
    assert _config(**dict.fromkeys(names)) == ImageConfig(platform="linux/amd64")


def test_of_equal_variables_the_last_one_wins() -> None:
    assert _config(Env=["A=1", "B=2", "A=3"]).env == {"A": "3", "B": "2"}


def test_the_platform_is_told_with_its_variant() -> None:
    document = {"os": "linux", "architecture": "arm", "variant": "v6"}
    assert _read(document).platform == "linux/arm/v6"


def test_a_config_that_names_no_platform_is_for_no_machine() -> None:
    assert _read({}).platform == "unknown/unknown"


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"User": 1000}, "config.User must be text, not a number"),
        ({"User": "u" * 257}, "config.User has 257 characters"),
        ({"Env": "A=1"}, "config.Env must be a list of texts, not text"),
        ({"Env": {"A": "1"}}, "config.Env must be a list of texts, not an object"),
        ({"Env": [None]}, r"config.Env\[0\] must be text, not null"),
        ({"Env": ["A=1", "B"]}, r"config.Env\[1\] must be NAME=VALUE, it is 'B'"),
        ({"Env": ["=1"]}, r"config.Env\[0\] must be NAME=VALUE, it is '=1'"),
        ({"Env": ["A=" + "x" * 131070]}, r"config.Env\[0\] is longer than 131071 bytes"),
        ({"Env": ["A=" + "é" * 65535]}, r"config.Env\[0\] is longer than 131071 bytes"),
        ({"ExposedPorts": ["8888/tcp"]}, "config.ExposedPorts must be an object, not a list"),
        ({"ExposedPorts": {"http": {}}}, r"config.ExposedPorts\['http'\] is no port"),
        ({"Entrypoint": "/init"}, "config.Entrypoint must be a list of texts, not text"),
        ({"Cmd": "jupyter lab"}, "config.Cmd must be a list of texts, not text"),
        ({"Cmd": ["a", 1]}, r"config.Cmd\[1\] must be text, not a number"),
        ({"WorkingDir": "/" * 4097}, "config.WorkingDir has 4097 characters"),
        ({"Labels": ["a"]}, "config.Labels must be an object, not a list"),
        ({"Labels": {"a": 1}}, r"config.Labels\['a'\] must be text"),
        ({"Labels": {"a" * 1025: ""}}, r"config.Labels\['a+\.\.\.'\] has 1025 characters"),
        ({"Labels": {"a": "b" * 1048577}}, r"config.Labels\['a'\] has 1048577 characters"),
        ({"Volumes": ["/data"]}, "config.Volumes must be an object, not a list"),
        ({"Volumes": {"/" * 4097: {}}}, r"config.Volumes\['/+\.\.\.'\] has 4097 characters"),
    ],
)
def test_a_wrong_field_is_refused_with_its_path(config: dict[str, Any], fault: str) -> None:
    data, descriptor = named(encoded(config_json(**config)), OCI_CONFIG)
    with pytest.raises(BadContent, match=f"^config {descriptor.digest}: {fault}"):
        read_config(data, descriptor)


def test_the_longest_that_is_allowed_is_read() -> None:
    found = _config(User="u" * 256, Env=["A=" + "x" * 131069], Labels={"a" * 1024: "b" * 1048576})
    assert len(found.env["A"]) == 131069


@pytest.mark.parametrize("config", [[], "text", 1])
def test_a_config_that_is_no_object_is_refused(config: object) -> None:
    with pytest.raises(BadContent, match="config must be an object"):
        _read({"os": "linux", "architecture": "amd64", "config": config})


@pytest.mark.parametrize("key", ["OS", "Architecture", "Variant", "Config"])
def test_a_key_that_runtimes_take_for_another_is_refused_beside_the_config(key: str) -> None:
    with pytest.raises(BadContent, match=f"has the key '{key}', which runtimes take for"):
        _read({**config_json(), key: None})


def test_the_digests_of_unpacked_layers_are_read_in_order() -> None:
    document = {"rootfs": {"type": "layers", "diff_ids": ["sha256:b", "sha256:a"]}}
    assert read_diff_ids(*named(encoded(document))) == ("sha256:b", "sha256:a")
    assert read_diff_ids(*named(b"{}")) == ()
    with pytest.raises(BadContent, match=r"rootfs\.diff_ids must be a list"):
        read_diff_ids(*named(b'{"rootfs":{"diff_ids":"x"}}'))
