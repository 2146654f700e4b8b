"""Images that podman's probe brings, and what of them is there afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.layouts import layout
from tests.cluster.waiting import wait_for
from tests.scanner.hostilelayers import gzip_bomb
from tests.scanner.memory import digest_of
from tests.scanner.podman import images, podman
from tests.scanner.probes.layouts import Content, Layouts
from tests.scanner.probes.probing import probing
from tests.scanner.probes.targets import observe
from tests.scanner.registry import RunningRegistry
from tests.scanner.sources.tars import tar_of
from webhook.scanner.errors import BadContent, ProbeError, ScanError
from webhook.scanner.probes.observation import Observation
from webhook.scanner.probes.podman import PodmanProbe
from webhook.scanner.progress import Silent

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with RunningRegistry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def probe(environment: Mapping[str, str]) -> PodmanProbe:
    return PodmanProbe(environment=environment)


@pytest.fixture
def unchanged(environment: Mapping[str, str]) -> Iterator[None]:
    """After the test the images are those that were there before it."""
    before = images(environment)
    yield
    assert images(environment) == before


def answered_with(observation: Observation) -> int:
    """Give the status under the prefix, by which the tests tell their images apart."""
    run = observation.answered
    assert run is not None
    assert run.prefix is not None
    return run.prefix.status


def pushed(registry: RunningRegistry, image: str, name: str, *more: str) -> str:
    """Push a layout; give it by its digest, as scans name it."""
    file = registry.home / "digest"
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false",
         f"--digestfile={file}", *more, image, f"docker://{registry.host}/{name}:latest"],
        check=True,
        timeout=60,
    )  # fmt: skip
    return f"{registry.host}/{name}@{file.read_text().strip()}"


def archived(image: str, path: Path, name: str) -> None:
    """Save a layout as `docker save` would."""
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--quiet", image, f"docker-archive:{path}:{name}"],
        check=True,
        timeout=60,
    )


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("kind", ["oci", "v2s2"])
def test_one_in_a_registry_is_started_whoever_wrote_its_manifest(
    probe: PodmanProbe, registry: RunningRegistry, layouts: Layouts, kind: str
) -> None:
    image = pushed(registry, layouts.of("status=201"), f"team/{kind}", f"--format={kind}")
    assert answered_with(observe(probe, image)) == 201


@pytest.mark.usefixtures("unchanged")
def test_two_probes_of_one_image_at_once_do_not_hinder_each_other(
    probe: PodmanProbe, registry: RunningRegistry, layouts: Layouts
) -> None:
    image = pushed(registry, layouts.of("status=202"), "team/twice")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: answered_with(observe(probe, image)), range(4)))
    assert found == [202] * 4


def test_one_that_was_pulled_before_stays_as_it_is(
    probe: PodmanProbe,
    registry: RunningRegistry,
    layouts: Layouts,
    environment: Mapping[str, str],
) -> None:
    content = Content(command=["/program", "status=203"], annotations={"of": "the image's own"})
    image = pushed(registry, layouts.make(content), "team/here")
    podman(environment, "pull", "-q", "--tls-verify=false", image)
    before = images(environment), podman(environment, "image", "inspect", image)
    assert "the image's own" in before[1]
    assert answered_with(observe(probe, image)) == 203
    assert (images(environment), podman(environment, "image", "inspect", image)) == before
    podman(environment, "rmi", image)


def test_one_that_was_there_by_another_name_stays_with_that_name(
    probe: PodmanProbe,
    registry: RunningRegistry,
    layouts: Layouts,
    environment: Mapping[str, str],
) -> None:
    image = pushed(registry, layouts.of(), "team/named")
    tagged = f"{registry.host}/team/named:latest"
    podman(environment, "pull", "-q", "--tls-verify=false", tagged)
    podman(environment, "tag", tagged, "localhost/mine:1")
    podman(environment, "untag", tagged, tagged)
    before = images(environment)
    observe(probe, image)
    assert images(environment) == before
    podman(environment, "rmi", "localhost/mine:1")


def test_one_that_was_there_without_a_name_stays(
    probe: PodmanProbe,
    registry: RunningRegistry,
    layouts: Layouts,
    environment: Mapping[str, str],
    tmp_path: Path,
) -> None:
    layout = layouts.of()
    image = pushed(registry, layout, "team/unnamed")
    tagged = f"{registry.host}/team/unnamed:latest"
    known = podman(environment, "pull", "-q", "--tls-verify=false", tagged).strip()
    podman(environment, "untag", tagged)
    archived(layout, tmp_path / "archive.tar", "localhost/any:1")
    for target in (image, f"docker-archive:{tmp_path}/archive.tar", layout):
        observe(probe, target)
        assert (
            podman(environment, "image", "inspect", "--format", "{{.Id}}", known).strip() == known
        )
    podman(environment, "rmi", "--force", known)


def test_an_unnamed_one_that_a_pulled_one_was_built_on_stays(
    probe: PodmanProbe,
    layouts: Layouts,
    registry: RunningRegistry,
    environment: Mapping[str, str],
) -> None:
    base = pushed(registry, layouts.of(), "team/base")
    podman(environment, "pull", "-q", "--tls-verify=false", base)
    known = podman(environment, "image", "inspect", "--format", "{{.Id}}", base).strip()
    podman(environment, "tag", base, "localhost/base:1")
    podman(environment, "rmi", base)
    podman(environment, "untag", "localhost/base:1")
    observe(probe, layouts.make(Content(command=["/program"], over={"more": b"x"})))
    assert podman(environment, "image", "inspect", "--format", "{{.Id}}", known).strip() == known
    podman(environment, "rmi", known)


class Once(Silent):
    """Does something at a stage, the first time."""

    def __init__(self, stage: str, work: Callable[[], None]) -> None:
        self._stage = stage
        self._work: Callable[[], None] | None = work

    def stage(self, text: str) -> None:
        if text == self._stage and self._work is not None:
            work, self._work = self._work, None
            work()


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("stage", ["starting", "waiting for the server"])
def test_one_that_another_probe_pulled_and_removes_meanwhile_is_started_and_removed_all_the_same(
    probe: PodmanProbe,
    registry: RunningRegistry,
    layouts: Layouts,
    environment: Mapping[str, str],
    stage: str,
) -> None:
    image = pushed(registry, layouts.of("late=1"), "team/shared")
    with probing(environment, "starting", image) as other:
        (theirs,) = Path(environment["TMPDIR"]).iterdir()

        def end_the_other() -> None:
            other.kill()
            wait_for(lambda: not theirs.exists(), 30, "the other probe to end")

        found = observe(probe, image, progress=Once(stage, end_the_other))
        assert found.answered is not None


@pytest.mark.usefixtures("unchanged")
def test_of_a_layout_the_image_of_that_name_is_started(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    layout = layouts.make(Content(command=["/program", "status=206"]), "v1", "docker.io/a/b:2")
    assert answered_with(observe(probe, layout)) == 206
    assert answered_with(observe(probe, f"{layout.removesuffix(':v1')}:docker.io/a/b:2")) == 206


def test_an_archive_or_layout_takes_no_name_of_the_users_images(
    probe: PodmanProbe,
    layouts: Layouts,
    registry: RunningRegistry,
    environment: Mapping[str, str],
    tmp_path: Path,
) -> None:
    name = "docker.io/library/ubuntu:latest"
    mine = pushed(registry, layouts.of(), "team/mine")
    podman(environment, "pull", "-q", "--tls-verify=false", mine)
    podman(environment, "tag", mine, name)
    before = images(environment)
    other = layouts.make(Content(command=["/program", "status=207"]), name)
    archived(other, tmp_path / "archive.tar", name)
    assert answered_with(observe(probe, f"docker-archive:{tmp_path}/archive.tar")) == 207
    assert images(environment) == before
    assert answered_with(observe(probe, other)) == 207
    assert images(environment) == before
    podman(environment, "rmi", mine, name)


@pytest.mark.usefixtures("unchanged")
def test_of_an_archive_the_image_of_that_name_or_place_is_started(
    probe: PodmanProbe,
    layouts: Layouts,
    registry: RunningRegistry,
    environment: Mapping[str, str],
    tmp_path: Path,
) -> None:
    names = []
    for status in (208, 209):
        image = pushed(registry, layouts.of(f"status={status}"), f"team/of{status}")
        podman(environment, "pull", "-q", "--tls-verify=false", image)
        names.append(f"localhost/of:{status}")
        podman(environment, "tag", image, names[-1])
        podman(environment, "rmi", image)
    archive = f"docker-archive:{tmp_path}/two.tar"
    podman(environment, "save", "-q", "-m", "-o", f"{tmp_path}/two.tar", *names)
    podman(environment, "rmi", *names)
    found = {at: answered_with(observe(probe, f"{archive}:{at}")) for at in (*names, "@0", "@1")}
    assert (found[names[0]], found[names[1]]) == (208, 209)
    assert {found["@0"], found["@1"]} == {208, 209}


class Looking(Silent):
    """Looks at the container that is being waited for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.annotations: list[str] = []
        self.layouts: list[Path] = []

    def stage(self, text: str) -> None:
        if text == "waiting for the server":
            name = podman(self._environment, "ps", "--format", "{{.Names}}").strip()
            self.annotations.append(annotations_of(self._environment, name))
            self.layouts += Path(self._environment["TMPDIR"]).glob("*/image")


def annotations_of(environment: Mapping[str, str], container: str) -> str:
    return podman(
        environment, "container", "inspect", "--format", "{{.Config.Annotations}}", container
    )


@pytest.mark.usefixtures("unchanged")
def test_what_its_manifest_orders_never_reaches_the_runtime(
    probe: PodmanProbe, layouts: Layouts, environment: Mapping[str, str]
) -> None:
    content = Content(command=["/program"], annotations={"run.oci.ordered": "by a stranger"})
    image = layouts.make(content)
    progress = Looking(environment)
    assert observe(probe, image, progress=progress).answered is not None
    assert len(progress.annotations) == 1
    assert "stranger" not in progress.annotations[0]
    # Podman itself hands them on.
    known = podman(environment, "pull", "-q", image).strip()
    container = podman(environment, "create", known).strip()
    assert "run.oci.ordered:by a stranger" in annotations_of(environment, container)
    podman(environment, "rm", container)
    podman(environment, "rmi", known)


def test_its_layers_as_stored_are_gone_before_it_is_waited_for(
    probe: PodmanProbe, layouts: Layouts, environment: Mapping[str, str]
) -> None:
    progress = Looking(environment)
    observe(probe, layouts.of(), progress=progress)
    assert (len(progress.annotations), progress.layouts) == (1, [])


class Stages(Silent):
    """Keeps the stages."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def stage(self, text: str) -> None:
        self.seen.append(text)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("harm", "kind", "said"),
    [("bomb", BadContent, "decompression bomb"), ("pipe", ScanError, "no regular file")],
)
def test_a_layer_that_would_harm_is_refused_before_podman_sees_it(
    probe: PodmanProbe,
    tmp_path: Path,
    harm: str,
    kind: type[ScanError],
    said: str,
) -> None:
    layer = gzip_bomb() if harm == "bomb" else tar_of({"a": b"b"})
    written = layout(tmp_path / "layout", layer=layer)
    if harm == "pipe":
        blob = written / "blobs/sha256" / digest_of(layer).removeprefix("sha256:")
        blob.unlink()
        os.mkfifo(blob)
    stages = Stages()
    with pytest.raises(kind, match=said):
        observe(probe, f"oci:{written}", progress=stages)
    assert stages.seen == ["fetching"]


@pytest.mark.usefixtures("unchanged")
def test_one_that_would_fill_the_disk_is_refused_before_podman_sees_it(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    probe.spare = 1 << 60
    stages = Stages()
    with pytest.raises(ProbeError, match=r"MiB free, .*set TMPDIR to a larger disk") as caught:
        observe(probe, layouts.of(), progress=stages)
    assert "\n" not in str(caught.value)
    assert stages.seen == ["fetching"]


def test_a_folder_that_podman_cannot_make_a_name_of_is_told_with_the_cure(
    environment: Mapping[str, str], layouts: Layouts, tmp_path: Path
) -> None:
    (tmp_path / "Upper").mkdir()
    probe = PodmanProbe(environment={**environment, "TMPDIR": str(tmp_path / "Upper")})
    with pytest.raises(ProbeError, match="set TMPDIR to a folder with a plain lower-case path"):
        observe(probe, layouts.of())
    assert list((tmp_path / "Upper").iterdir()) == []
