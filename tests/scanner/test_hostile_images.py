"""Whatever a stranger serves, a scan ends in time, names it, and stays small: a process of its own is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import orjson
import pytest

from tests.images.machine import require_tools
from tests.scanner.hostile import (
    FOREVER,
    Answer,
    Asked,
    HostileServer,
    dripped,
    endless,
    head,
    redirect,
    response,
)
from tests.scanner.hostilelayers import LAYERS, MEBIBYTE, one
from tests.scanner.memory import MemorySource, image_of, manifest_of
from tests.scanner.registry import RunningRegistry
from tests.scanner.unmeasured import unmeasured
from webhook.scanner.mediatypes import OCI_MANIFEST

MOST_MEMORY = 200 * MEBIBYTE
MOST_SECONDS = 60


def scanned(image: str) -> dict[str, Any]:
    """Scan an image in a process of its own, and hold it to its time and memory."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.scanner.scanchild", image],
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
        env=unmeasured(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    outcome: dict[str, Any] = json.loads(done.stdout)
    assert outcome["most"] < MOST_MEMORY
    assert outcome["said"].isprintable()
    return outcome


@pytest.fixture(scope="module")
def registry(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningRegistry]:
    require_tools(request.config)
    with RunningRegistry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def pushed(registry: RunningRegistry, name: str, image: MemorySource) -> str:
    top = image.store[image.descriptor.digest]
    for digest, data in image.store.items():
        if digest != image.descriptor.digest:
            registry.push_blob(name, data)
    registry.push_manifest(name, "v1", top, OCI_MANIFEST)
    return f"{registry.host}/{name}:v1"


@pytest.mark.parametrize("case", LAYERS)
def test_a_hostile_layer_is_named(registry: RunningRegistry, case: str) -> None:
    make, words = LAYERS[case]
    image = pushed(registry, case.replace(" ", "-"), image_of({"User": "1000"}, make()))
    outcome = scanned(image)
    assert outcome["kind"] == "BadContent"
    assert outcome["said"].startswith("layer sha256:")
    assert words in outcome["said"]


def test_links_and_devices_that_nothing_reads_hurt_nobody(registry: RunningRegistry) -> None:
    # Base images hold /dev, and links to anywhere: nothing is unpacked, so nothing follows them.
    layers = [one("dev/null", b"3"), one("etc/alternatives/x", b"2", "../../../../etc/shadow")]
    image = pushed(registry, "harmless", image_of({"User": "1000"}, *layers))
    assert scanned(image)["kind"] == "Scanned"


def test_a_passwd_that_is_a_link_is_not_followed(registry: RunningRegistry) -> None:
    layer = one("etc/passwd", b"2", "../../../../etc/passwd")
    outcome = scanned(pushed(registry, "link", image_of({"User": "1000"}, layer)))
    assert (
        "/etc/passwd is a link to ../../../../etc/passwd, which is not followed" in outcome["said"]
    )


def test_a_deep_config_is_refused(registry: RunningRegistry) -> None:
    deep = b'{"config":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"
    outcome = scanned(pushed(registry, "deep", manifest_of(deep)))
    assert outcome["kind"] == "BadContent"
    assert outcome["said"].startswith("config sha256:")


GOOD = image_of({"User": "1000"}, one("etc/passwd", data=b"jovyan:x:1000:0::/home/jovyan:\n"))
MANIFEST = orjson.loads(GOOD.store[GOOD.descriptor.digest])
LAYER = MANIFEST["layers"][0]["digest"]
BYTES = GOOD.store[LAYER]


def served(asked: Asked, layer: Answer, manifest: Answer | None = None) -> Answer:
    """Serve the good image, but for its layer or its manifest."""
    name = asked.path.rpartition("/")[2]
    if name == LAYER:
        return layer
    if "/manifests/" in asked.path:
        data = GOOD.store[GOOD.descriptor.digest]
        return manifest or [response(body=data, headers={"Content-Type": OCI_MANIFEST})]
    return [response(body=GOOD.store[name])]


BASIC = {"Content-Type": OCI_MANIFEST}
REALM = 'Bearer realm="http://tokens.example.com/token",service="x"'
# case: (what the layer's or the manifest's address answers, the error, words of its message)
TRANSPORT: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "wrong digest": ({"layer": lambda: [response(body=bytes(len(BYTES)))]}, "BadContent", LAYER),
    "truncated blob": (
        {"layer": lambda: [response(body=BYTES[:20], length=len(BYTES))]},
        "Unreachable",
        LAYER,
    ),
    "short blob": ({"layer": lambda: [response(body=BYTES[:20])]}, "BadContent", LAYER),
    "endless body": (
        {"layer": lambda: [head(200, [("Connection", "close")]), *_some(endless())]},
        "BadContent",
        LAYER,
    ),
    "endless manifest": (
        {"manifest": lambda: [head(200, BASIC.items()), *_some(endless(b"[" * 65536))]},
        "BadContent",
        "manifest v1",
    ),
    "redirect to link-local": (
        {"layer": lambda: [redirect("http://169.254.169.254/latest/meta-data/")]},
        "Refused",
        "169.254.169.254",
    ),
    "redirect to the registry's own network by name": (
        {"layer": lambda: [redirect("gopher://127.0.0.1/")]},
        "Refused",
        "gopher",
    ),
    "token realm on another host": (
        {"manifest": lambda: [response(401, headers={"WWW-Authenticate": REALM})]},
        "Refused",
        "tokens.example.com",
    ),
    "stall before an answer": ({"manifest": lambda: [FOREVER]}, "Unreachable", "within 2 s"),
    "stall in the headers": (
        {"manifest": lambda: dripped(head(200, BASIC.items()), 0.5)},
        "Unreachable",
        "within 2 s",
    ),
    "stall in the body": (
        {"layer": lambda: [head(200, [("Content-Length", str(len(BYTES)))]), BYTES[:9], FOREVER]},
        "Unreachable",
        "too slowly",
    ),
    "deep manifest": (
        {"manifest": lambda: [response(body=b"[" * 1_000_000, headers=BASIC)]},
        "BadContent",
        "manifest sha256:",
    ),
}


def _some(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Send 100 MB, which is endless enough: a client that reads on would be found out by then."""
    for _ in range(1600):
        yield next(chunks)


@pytest.mark.parametrize("case", TRANSPORT)
def test_a_hostile_registry_is_named(case: str) -> None:
    what, kind, words = TRANSPORT[case]

    def script(asked: Asked) -> Answer:
        layer = what["layer"]() if "layer" in what else [response(body=BYTES)]
        return served(asked, layer, what["manifest"]() if "manifest" in what else None)

    with ExitStack() as stack:
        server = stack.enter_context(HostileServer(script))
        outcome = scanned(f"{server.host}/hostile:v1")
    assert outcome["kind"] == kind, outcome
    assert words in outcome["said"]
    assert outcome["seconds"] < 20


def test_the_same_server_without_a_fault_is_scanned() -> None:
    with HostileServer(lambda asked: served(asked, [response(body=BYTES)])) as server:
        assert scanned(f"{server.host}/hostile:v1")["kind"] == "Scanned"
