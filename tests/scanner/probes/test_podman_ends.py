"""However a probe ends, nothing of it is left."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.waiting import wait_for
from tests.scanner.hostile import FOREVER, Answer, HostileServer, Script, by_path, head, response
from tests.scanner.memory import digest_of, image_of
from tests.scanner.podman import images, leftovers, podman
from tests.scanner.probes import targets
from tests.scanner.probes.layouts import Layouts
from tests.scanner.probes.probing import probing, wait_until_nothing_is_left
from tests.scanner.sources.tars import tar_of
from webhook.scanner.errors import ProbeError
from webhook.scanner.mediatypes import OCI_MANIFEST
from webhook.scanner.probes.claim import LABEL
from webhook.scanner.probes.podman import PodmanProbe
from webhook.scanner.progress import Silent

pytestmark = pytest.mark.usefixtures("nothing_left")

WAITING = "waiting for the server"


def observe(environment: Mapping[str, str], image: str) -> None:
    targets.observe(PodmanProbe(environment=environment), image)


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


def fetched(environment: Mapping[str, str]) -> int:
    """Give the bytes of blobs that probes there have fetched."""
    return sum(
        path.stat().st_size for path in Path(environment["TMPDIR"]).glob("*/image/blobs/*/*")
    )


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_one_that_is_ended_while_it_fetches(
    environment: Mapping[str, str], number: signal.Signals
) -> None:
    layer = tar_of({"large": bytes(1024 * 1024)})
    source = image_of({"Cmd": ["/large"]}, layer)
    digest, path = source.descriptor.digest, "/v2/team/notebook"
    manifest = source.store[digest]
    answers: dict[str, Answer | bytes | Script] = {
        f"{path}/blobs/{name}": response(body=data) for name, data in source.store.items()
    }
    answers[f"{path}/manifests/{digest}"] = response(
        body=manifest, headers={"Content-Type": OCI_MANIFEST}
    )
    stalling: Answer = [
        head(200, [("Content-Length", str(len(layer)))]),
        layer[: len(layer) // 2],
        FOREVER,
    ]
    script = by_path({**answers, f"{path}/blobs/{digest_of(layer)}": stalling})
    with HostileServer(script) as registry:
        image = f"{registry.host}/team/notebook@{digest}"
        with probing(environment, "fetching", image) as process:
            wait_for(lambda: fetched(environment) > len(layer) // 4, 30, "half a layer")
            process.send_signal(number)
            wait_until_nothing_is_left(environment)


def test_nothing_is_left_of_one_that_fails_in_the_middle(
    environment: Mapping[str, str], layouts: Layouts
) -> None:
    class Interrupted(Silent):
        def stage(self, text: str) -> None:
            if text == WAITING:
                raise KeyboardInterrupt

    probe = PodmanProbe(environment=environment)
    with pytest.raises(KeyboardInterrupt):
        targets.observe(probe, layouts.of("late=60"), 60, Interrupted())
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
    with pytest.raises(ProbeError, match="warden of the probe"):
        targets.observe(probe, layouts.of(), progress=Hostile())
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


def test_a_users_container_of_an_image_that_brings_our_label_stays(
    environment: Mapping[str, str], layouts: Layouts, tmp_path: Path
) -> None:
    layout, _, name = layouts.of().removeprefix("oci:").partition(":")
    place = tmp_path / "plain"  # podman names an image of a layout after its folder
    shutil.copytree(layout, place)
    image = podman(environment, "pull", "-q", f"oci:{place}:{name}").strip()
    label = f"{LABEL}=/nowhere"
    mine = podman(environment, "create", "--network=none", "--label", label, image).strip()
    observe(environment, layouts.of())
    assert podman(environment, "ps", "-a", "-q", "--no-trunc").split() == [mine]
    podman(environment, "rm", mine)
    podman(environment, "rmi", image)


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
