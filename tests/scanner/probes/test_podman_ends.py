"""However a probe ends, nothing of it is left."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.waiting import wait_for
from tests.scanner.podman import images, leftovers, podman
from tests.scanner.probes.layouts import Layouts
from tests.scanner.probes.probing import probing, wait_until_nothing_is_left
from tests.scanner.probes.servers import Headers, http_server
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.podman import PodmanProbe
from webhook.scanner.probes.probe import Target
from webhook.scanner.progress import Silent

pytestmark = pytest.mark.usefixtures("nothing_left")

WAITING = "waiting for the server"
_PULL = "podman pull"


def observe(environment: Mapping[str, str], image: str) -> None:
    PodmanProbe(environment=environment).observe(
        Target(image=image, platform="linux/amd64", timeout=10), Silent()
    )


def commands() -> dict[str, int]:
    """Give all processes by their command line, ours without."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            found[path.read_bytes().replace(b"\0", b" ").decode(errors="replace")] = int(
                path.parent.name
            )
    return found


def wardens(environment: Mapping[str, str]) -> list[int]:
    """Give the wardens of the probes there."""
    return [
        pid
        for command, pid in commands().items()
        if "probes.warden" in command and environment["TMPDIR"] in command
    ]


def descriptors() -> set[Path]:
    """Give the descriptors that this process has open."""
    return set(Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("stage", ["starting", WAITING])
def test_nothing_is_left_of_one_that_is_ended_by_a_signal(
    environment: Mapping[str, str], layouts: Layouts, number: signal.Signals, stage: str
) -> None:
    before = images(environment)
    with probing(environment, stage, layouts.of("listen=127.0.0.1:1111", "deaf")) as process:
        assert leftovers(environment)
        # To all of its session, as Ctrl-C on a terminal is.
        os.killpg(process.pid, number)
        process.wait(30)
    wait_until_nothing_is_left(environment)
    assert images(environment) == before


def test_a_pull_that_hangs_ends_with_its_probe(environment: Mapping[str, str]) -> None:
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": 9}
    blobs = {**layer, "digest": f"sha256:{'a' * 64}"}
    config = {**blobs, "mediaType": "application/vnd.oci.image.config.v1+json"}
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [blobs]}
    ).encode()
    hanging, ended = threading.Event(), threading.Event()

    def answer(path: str, _: Mapping[str, str]) -> tuple[int, Headers, bytes]:
        if "/blobs/" in path:
            hanging.set()
            ended.wait(60)
        return 200, [("Content-Type", media_type), ("Content-Length", str(len(manifest)))], manifest

    with http_server(answer) as registry:
        host = f"127.0.0.1:{registry.port}"
        image = f"{host}/team/notebook@sha256:{hashlib.sha256(manifest).hexdigest()}"
        try:
            with probing(environment, "pulling", image, host) as process:
                assert hanging.wait(30)
                assert any(_PULL in each and image in each for each in commands())
                process.kill()
            wait_until_nothing_is_left(environment)
            assert not any(_PULL in each and image in each for each in commands())
        finally:
            ended.set()


def test_nothing_is_left_of_one_that_fails_in_the_middle(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    class Interrupted(Silent):
        def stage(self, text: str) -> None:
            if text == WAITING:
                raise KeyboardInterrupt

    probe = PodmanProbe(environment=environment)
    target = Target(image=layouts.of("late=60"), platform="linux/amd64", timeout=60)
    with pytest.raises(KeyboardInterrupt):
        probe.observe(target, Interrupted())
    assert leftovers(environment) == []


def test_a_probe_whose_warden_is_killed_is_an_error_and_the_next_one_clears_up(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    class Hostile(Silent):
        def stage(self, text: str) -> None:
            if text == WAITING:
                for warden in wardens(environment):
                    os.kill(warden, signal.SIGKILL)

    probe = PodmanProbe(environment=environment)
    target = Target(image=layouts.of(), platform="linux/amd64", timeout=10)
    with pytest.raises(ProbeError, match="warden of the probe"):
        probe.observe(target, Hostile())
    assert leftovers(environment)
    observe(environment, layouts.of())


def test_what_a_killed_warden_left_is_removed_by_the_next_probe(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    before = images(environment)
    with probing(environment, WAITING, layouts.of("listen=127.0.0.1:1111")) as process:
        for warden in wardens(environment):
            os.kill(warden, signal.SIGKILL)
        process.kill()
        process.wait(30)
    left = leftovers(environment)
    assert any(each.startswith("container") for each in left)
    assert any(each.startswith("folder") for each in left)
    assert images(environment) != before
    observe(environment, layouts.of())
    wait_until_nothing_is_left(environment)
    assert images(environment) == before


def test_a_probe_leaves_alone_what_another_one_is_using(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    with probing(environment, WAITING, layouts.of("listen=127.0.0.1:1111")) as process:
        mine = podman(environment, "ps", "--format", "{{.Names}}").split()
        assert len(mine) == 1
        observe(environment, layouts.of())
        assert podman(environment, "ps", "--format", "{{.Names}}").split() == mine
        process.kill()
    wait_until_nothing_is_left(environment)


def test_a_container_whose_folder_is_gone_is_removed_once_it_has_ended(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    with probing(environment, WAITING, layouts.of("listen=127.0.0.1:1111")) as process:
        for warden in wardens(environment):
            os.kill(warden, signal.SIGKILL)
        process.kill()
        process.wait(30)
    (folder,) = Path(environment["TMPDIR"]).iterdir()
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    observe(environment, layouts.of())
    # It runs: it might be a probe's that sees other folders than we do.
    (name,) = podman(environment, "ps", "--format", "{{.Names}}").split()
    podman(environment, "kill", name)
    wait_for(lambda: not podman(environment, "ps", "-q"), 30, "the container to end")
    observe(environment, layouts.of())
    assert podman(environment, "ps", "-a", "-q") == ""
    elsewhere.rename(folder)
    observe(environment, layouts.of())


def test_what_only_looks_like_a_probes_folder_stays(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    link = Path(environment["TMPDIR"], "nbgate-probe-link")
    target = Path(environment["TMPDIR"], "precious")
    target.mkdir()
    (target / "file").write_text("precious")
    link.symlink_to(target)
    file = Path(environment["TMPDIR"], "nbgate-probe-file")
    file.write_text("no folder")
    try:
        observe(environment, layouts.of())
        assert (link / "file").read_text() == "precious"
        assert file.read_text() == "no folder"
    finally:
        for path in (link, file, target / "file"):
            path.unlink()
        target.rmdir()


def test_no_descriptor_of_a_probe_stays_open(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    image = layouts.of("exit=1")
    observe(environment, image)
    before = descriptors()
    observe(environment, image)
    assert descriptors() == before


def test_a_wardens_own_folder_that_cannot_be_made_is_an_error_with_the_cure(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    with pytest.raises(ProbeError, match="set TMPDIR") as caught:
        observe({**environment, "TMPDIR": "/proc/no-folder"}, layouts.of())
    assert "\n" not in str(caught.value)
