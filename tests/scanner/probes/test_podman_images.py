"""Images that podman's probe brings, and what of them is there afterwards."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.ports import reserved_ports
from tests.cluster.waiting import wait_for
from tests.scanner.podman import images, podman
from tests.scanner.probes.layouts import Content, Layouts
from tests.scanner.probes.probing import probing
from tests.scanner.registry import RunningRegistry
from tests.scanner.tokenserver import PASSWORD, USER
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.observation import Observation
from webhook.scanner.probes.podman import PodmanProbe
from webhook.scanner.probes.probe import Target
from webhook.scanner.progress import Silent

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with RunningRegistry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def probe(environment: Mapping[str, str], registry: RunningRegistry) -> PodmanProbe:
    return PodmanProbe(environment=environment, plain_http=frozenset({registry.host}))


@pytest.fixture
def unchanged(environment: Mapping[str, str]) -> Iterator[None]:
    """After the test the images are those that were there before it."""
    before = images(environment)
    yield
    assert images(environment) == before


def observe(probe: PodmanProbe, image: str, platform: str = "linux/amd64") -> Observation:
    return probe.observe(Target(image=image, platform=platform, timeout=10), Silent())


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
def test_one_in_a_registry_is_pulled_by_its_digest(
    probe: PodmanProbe, registry: RunningRegistry, layouts: Layouts
) -> None:
    image = pushed(registry, layouts.of("status=201"), "team/pulled")
    assert answered_with(observe(probe, image)) == 201


@pytest.mark.usefixtures("unchanged")
def test_two_probes_of_one_image_at_once_do_not_hinder_each_other(
    probe: PodmanProbe, registry: RunningRegistry, layouts: Layouts
) -> None:
    image = pushed(registry, layouts.of("status=202"), "team/twice")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: answered_with(observe(probe, image)), range(4)))
    assert found == [202] * 4


def test_one_that_was_pulled_before_stays(
    probe: PodmanProbe,
    registry: RunningRegistry,
    layouts: Layouts,
    environment: Mapping[str, str],
) -> None:
    image = pushed(registry, layouts.of("status=203"), "team/here")
    podman(environment, "pull", "-q", "--tls-verify=false", image)
    before = images(environment)
    assert answered_with(observe(probe, image)) == 203
    assert images(environment) == before
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
    with probing(environment, "starting", image, registry.host) as other:
        (theirs,) = Path(environment["TMPDIR"]).iterdir()

        def end_the_other() -> None:
            other.kill()
            wait_for(lambda: not theirs.exists(), 30, "the other probe to end")

        target = Target(image=image, platform="linux/amd64", timeout=10)
        assert probe.observe(target, Once(stage, end_the_other)).answered is not None


@pytest.mark.usefixtures("unchanged")
def test_a_registry_without_tls_is_asked_only_where_that_is_allowed(
    environment: Mapping[str, str], registry: RunningRegistry, layouts: Layouts
) -> None:
    image = pushed(registry, layouts.of(), "team/plain")
    with pytest.raises(ProbeError, match=r"podman pull: .*HTTP response to HTTPS"):
        observe(PodmanProbe(environment=environment), image)


@pytest.mark.usefixtures("unchanged")
def test_credentials_are_those_of_the_file(
    environment: Mapping[str, str], layouts: Layouts, tmp_path: Path
) -> None:
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with RunningRegistry(tmp_path, password=True) as closed:
        image = pushed(
            closed, layouts.of("status=205"), "team/x", f"--dest-creds={USER}:{PASSWORD}"
        )
        probe = PodmanProbe(environment=environment, plain_http=frozenset({closed.host}))
        with pytest.raises(ProbeError, match="podman pull: "):
            observe(probe, image)
        probe.auth_file = tmp_path / "auth.json"
        probe.auth_file.write_text(json.dumps({"auths": {closed.host: {"auth": secret}}}))
        assert answered_with(observe(probe, image)) == 205


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("registry.example.com/team/notebook:v1", "has no digest"),
        ("Not/A reference", "blank"),
        ("oci:/no/such/folder", "cannot be given this layout"),
        ("docker-archive:/no/such/file", "cannot be given this archive"),
    ],
)
def test_what_cannot_be_pulled_is_named_in_one_line(
    probe: PodmanProbe, image: str, said: str
) -> None:
    with pytest.raises(ProbeError, match=said) as caught:
        observe(probe, image)
    assert "\n" not in str(caught.value)


def test_a_registry_that_is_not_there_is_named_in_one_line(
    environment: Mapping[str, str],
) -> None:
    with reserved_ports(1) as (port,):
        host = f"127.0.0.1:{port}"
        probe = PodmanProbe(environment=environment, plain_http=frozenset({host}))
        with pytest.raises(ProbeError, match=r"podman pull: .*refused") as caught:
            observe(probe, f"{host}/team/notebook@sha256:{'a' * 64}")
    assert "\n" not in str(caught.value)


def test_one_that_is_here_for_another_platform_is_not_started(
    probe: PodmanProbe,
    registry: RunningRegistry,
    layouts: Layouts,
    environment: Mapping[str, str],
) -> None:
    image = pushed(registry, layouts.of(), "team/platform")
    podman(environment, "pull", "-q", "--tls-verify=false", image)
    with pytest.raises(ProbeError, match="is here, but for linux/amd64: remove it"):
        observe(probe, image, platform="linux/arm64")
    podman(environment, "rmi", image)


@pytest.mark.usefixtures("unchanged")
def test_of_a_layout_the_image_of_that_name_is_started(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    layout = layouts.make(Content(command=["/program", "status=206"]), "v1", "docker.io/a/b:2")
    assert answered_with(observe(probe, layout)) == 206
    folder = layout.removesuffix(":v1")
    assert answered_with(observe(probe, f"{folder}:docker.io/a/b:2")) == 206
    index = json.loads(Path(folder.removeprefix("oci:"), "index.json").read_text())
    digest = index["manifests"][0]["digest"]
    assert answered_with(observe(probe, f"{folder}:@{digest}")) == 206
    with pytest.raises(ProbeError, match="its index has 0 images for 'v9'"):
        observe(probe, f"{folder}:v9")
    with pytest.raises(ProbeError, match="its index has 2 images for 'no name'"):
        observe(probe, folder)


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
    with pytest.raises(ProbeError, match="it has 2 images for 'no name': name one"):
        observe(probe, archive)
    with pytest.raises(ProbeError, match="it has 0 images for 'localhost/none:1'"):
        observe(probe, f"{archive}:localhost/none:1")
    with pytest.raises(ProbeError, match="cannot be given this archive"):
        observe(probe, f"{archive}:@2")
