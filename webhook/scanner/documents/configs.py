"""What a container of an image is started with: bytes -> ImageConfig (OCI image-spec, config.md; Docker's is as it)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from webhook.core.reading import Malformed, inside, kind_of, mapping, texts
from webhook.core.reference import quoted
from webhook.scanner.documents.descriptors import read_platform
from webhook.scanner.documents.parsing import (
    bounded_text,
    check_keys,
    check_length,
    keys,
    read_object,
)
from webhook.scanner.documents.ports import tcp_ports
from webhook.scanner.image import Descriptor, ImageConfig

_USER_LIMIT = 256  # characters; useradd takes names of 32, and it is two of them at most
_PATH_LIMIT = 4096  # Linux, PATH_MAX
# Linux starts no program with a longer argument or variable: MAX_ARG_STRLEN, 32 pages, its NUL included (execve(2)).
_WORD_LIMIT = 128 * 1024 - 1
_LABEL_NAME_LIMIT = 1024
# Buildpacks keep JSON of some hundred kilobytes in a label.
_LABEL_LIMIT = 1024 * 1024

_DOCUMENT_KEYS = keys("os", "architecture", "variant", "config", "rootfs")
_KEYS = keys(
    *("User", "Env", "ExposedPorts", "Entrypoint", "Cmd", "WorkingDir", "Labels", "Volumes")
)


def read_config(data: bytes, descriptor: Descriptor) -> ImageConfig:
    """Read an image's configuration that `descriptor` names. Raises BadContent."""
    return read_object(f"config {descriptor.digest}", data, _document)


def read_diff_ids(data: bytes, descriptor: Descriptor) -> tuple[str, ...]:
    """Read the digests of an image's unpacked layers, from the lowest up, in its config. Raises BadContent."""
    return read_object(f"config {descriptor.digest}", data, _diff_ids)


def _document(source: Mapping[str, Any]) -> ImageConfig:
    check_keys(source, _DOCUMENT_KEYS)
    platform = read_platform(source)
    config = inside(source, "config", lambda value: _config(value, platform))
    return replace(config or ImageConfig(platform=platform), diff_ids=_diff_ids(source))


def _diff_ids(source: Mapping[str, Any]) -> tuple[str, ...]:
    return inside(source, "rootfs", lambda rootfs: _words(rootfs, "diff_ids")) or ()


def _config(source: Mapping[str, Any], platform: str) -> ImageConfig:
    check_keys(source, _KEYS)
    return ImageConfig(
        platform=platform,
        user=bounded_text(source, "User", _USER_LIMIT),
        env=_env(source),
        ports=inside(source, "ExposedPorts", tcp_ports) or (),
        entrypoint=_words(source, "Entrypoint"),
        command=_words(source, "Cmd"),
        working_dir=bounded_text(source, "WorkingDir", _PATH_LIMIT),
        labels=_labels(source),
        volumes=_volumes(source),
    )


def _words(source: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = source.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(key, f"must be a list of texts, not {kind_of(value)}")
    return tuple(_checked(key, value))


def _checked(key: str, values: list[object]) -> Iterator[str]:
    for index, value in enumerate(values):
        step = f"{key}[{index}]"
        if not isinstance(value, str):
            raise Malformed(step, f"must be text, not {kind_of(value)}")
        if len(value.encode()) > _WORD_LIMIT:
            raise Malformed(step, f"is longer than {_WORD_LIMIT} bytes, so Linux starts nothing")
        yield value


def _env(source: Mapping[str, Any]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for index, entry in enumerate(_words(source, "Env")):
        name, equals, value = entry.partition("=")
        # runc starts no container with such a one (libcontainer, populateProcessEnvironment).
        if not name or not equals:
            raise Malformed(f"Env[{index}]", f"must be NAME=VALUE, it is {quoted(entry)}")
        found[name] = value
    return found


def _labels(source: Mapping[str, Any]) -> Mapping[str, str]:
    labels = texts(source, "Labels")
    for name, value in labels.items():
        step = f"Labels[{quoted(name)}]"
        check_length(step, name, _LABEL_NAME_LIMIT)
        check_length(step, value, _LABEL_LIMIT)
    return labels


def _volumes(source: Mapping[str, Any]) -> tuple[str, ...]:
    found = mapping(source, "Volumes") or {}
    return tuple(check_length(f"Volumes[{quoted(path)}]", path, _PATH_LIMIT) for path in found)
