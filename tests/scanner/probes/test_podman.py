"""What podman's probe sees of images that really run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.scanner.podman import images, podman_environment
from tests.scanner.probes import targets
from tests.scanner.probes.layouts import Content, Layouts
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.observation import Observation
from webhook.scanner.probes.podman import PodmanProbe

pytestmark = pytest.mark.usefixtures("nothing_left")

TIMEOUT = 1.5  # for servers that answer at once; a start here takes some 10 ms


@pytest.fixture
def probe(environment: Mapping[str, str]) -> PodmanProbe:
    return PodmanProbe(environment=environment)


def observe(probe: PodmanProbe, image: str, timeout: float = TIMEOUT) -> Observation:
    return targets.observe(probe, image, timeout)


def test_a_server_under_its_prefix_answers_at_the_first_start(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    (run,) = observe(probe, layouts.of(), 60).runs
    assert (run.ending, run.home, run.confined) == ("answered", True, True)
    assert run.prefix is not None
    assert run.prefix.good
    assert run.prefix.allow_origin == "*"
    assert run.prefix.asked.startswith("/notebook/nbgate-probe/")
    assert run.root is not None
    assert run.root.status == 404
    assert (run.listening, run.loopback, run.exit_code) == ((), False, None)
    assert run.log == ("program: listening on 0.0.0.0:8888 as user 1000",)
    assert run.seconds < 30


def test_the_prefix_is_another_each_time(probe: PodmanProbe, layouts: Layouts) -> None:
    image = layouts.of()
    asked = {run.prefix.asked for _ in range(2) for run in observe(probe, image).runs if run.prefix}
    assert len(asked) == 2


def test_a_server_at_its_root_is_seen_as_such(probe: PodmanProbe, layouts: Layouts) -> None:
    (run,) = observe(probe, layouts.of("root", "status=204"), 30).runs
    assert run.root is not None
    assert run.rewritten is not None
    assert run.root.status == 204
    assert run.rewritten.good


def test_it_starts_as_kubeflow_starts_it(probe: PodmanProbe, layouts: Layouts) -> None:
    words = ["uid=1000", "empty=/home/jovyan", "groups"]
    content = Content(
        command=["/program", *words],
        files={"home/jovyan/hidden": b"by the volume"},
        config={"User": "12345", "WorkingDir": "/elsewhere"},
    )
    (run,) = observe(probe, layouts.make(content)).runs
    assert run.ending == "answered", run.log


def test_its_first_group_is_that_of_the_images_user_1000(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    passwd = b"jovyan:x:1000:7777::/home/jovyan:/bin/sh\n"
    content = Content(command=["/program", "groups"], files={"etc/passwd": passwd})
    runs = observe(probe, layouts.make(content)).runs
    assert {run.log for run in runs} == {("program: another group",)}


def test_nobody_is_added_to_the_images_users(probe: PodmanProbe, layouts: Layouts) -> None:
    content = Content(
        command=["/program", "nobody"], files={"etc/passwd": b"root:x:0:0::/root:/bin/sh\n"}
    )
    assert observe(probe, layouts.make(content)).answered is not None


def test_there_is_no_network(probe: PodmanProbe, layouts: Layouts) -> None:
    (run,) = observe(probe, layouts.of("talk")).runs
    assert run.log[0] == "program: Network is unreachable"


def test_a_server_for_its_own_machine_only_is_not_reached_and_named(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    observation = observe(probe, layouts.of("listen=127.0.0.1:8888"))
    assert [run.ending for run in observation.runs] == ["silent"] * 3
    assert all(run.loopback and run.listening == () for run in observation.runs)


def test_a_server_on_another_port_is_named(probe: PodmanProbe, layouts: Layouts) -> None:
    observation = observe(probe, layouts.of("listen=0.0.0.0:8080"))
    assert [run.ending for run in observation.runs] == ["silent"] * 3
    assert all(not run.loopback and run.listening == (8080,) for run in observation.runs)


def test_one_that_exits_is_told_with_its_code_and_words(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    observation = observe(probe, layouts.of("exit=42"), 60)
    assert [(run.home, run.confined) for run in observation.runs] == [
        (True, True),
        (True, False),
        (False, False),
    ]
    for run in observation.runs:
        assert (run.ending, run.exit_code) == ("exited", 42)
        assert run.log == ("program: ending as told",)


def test_one_that_crashes_is_told_by_its_signal(probe: PodmanProbe, layouts: Layouts) -> None:
    observation = observe(probe, layouts.of("crash"), 60)
    assert {(run.ending, run.exit_code) for run in observation.runs} == {("exited", 132)}


def test_one_that_needs_root_exits(probe: PodmanProbe, layouts: Layouts) -> None:
    content = Content(command=["/program", "uid=0"], config={"User": "0"})
    assert {run.exit_code for run in observe(probe, layouts.make(content)).runs} == {4}


def test_one_that_needs_privileges_answers_at_the_second_start(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    first, second = observe(probe, layouts.of("free")).runs
    assert (first.ending, first.exit_code, first.log) == ("exited", 5, ("program: not free",))
    assert (second.ending, second.home, second.confined) == ("answered", True, False)


def test_one_that_needs_its_hidden_files_answers_without_the_volume(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    content = Content(
        command=["/program", "need=/home/jovyan/config"], files={"home/jovyan/config": b"x"}
    )
    runs = observe(probe, layouts.make(content)).runs
    assert [run.ending for run in runs] == ["exited", "exited", "answered"]
    assert not runs[2].home


def test_one_whose_program_is_hidden_answers_without_the_volume(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    program = Content(command=["/home/jovyan/program"], files={"home/jovyan/x": b""})
    hidden = Content(command=program.command, files={"home/jovyan/program": layouts.program})
    first, second = observe(probe, layouts.make(hidden)).runs
    assert (first.ending, first.home) == ("refused", True)
    assert "no such file" in first.reason
    assert (second.ending, second.home) == ("answered", False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (Content(command=["/missing"]), "no such file"),
        (Content(command=["missing"]), "not found"),
        (Content(command=["/data"], files={"data": b"no program"}), "format error"),
        (Content(command=["/"]), "permission denied"),
        (Content(command=[]), "names no program"),
    ],
)
def test_one_that_cannot_be_started_is_refused_with_the_reason(
    probe: PodmanProbe, layouts: Layouts, content: Content, reason: str
) -> None:
    runs = observe(probe, layouts.make(content)).runs
    assert [(run.ending, run.home) for run in runs] == [("refused", True), ("refused", False)]
    assert reason in runs[0].reason
    assert runs[0].exit_code is None


def test_one_whose_home_is_a_file_is_refused(probe: PodmanProbe, layouts: Layouts) -> None:
    content = Content(command=["/program"], files={"home/jovyan": b"a file"})
    first = observe(probe, layouts.make(content)).runs[0]
    assert (first.ending, first.reason) == (
        "refused",
        "its /home/jovyan is no folder, so no volume can be mounted there",
    )


def test_a_home_that_is_a_link_leads_nowhere_outside(
    probe: PodmanProbe, layouts: Layouts, environment: Mapping[str, str]
) -> None:
    content = Content(command=["/program"], links={"home/jovyan": environment["TMPDIR"]})
    assert observe(probe, layouts.make(content)).runs[0].ending == "answered"


def test_a_slow_starter_is_waited_for(probe: PodmanProbe, layouts: Layouts) -> None:
    (run,) = observe(probe, layouts.of("late=2"), 60).runs
    assert run.ending == "answered"
    assert 1.5 < run.seconds < 10


def test_one_that_eats_memory_is_ended_and_told(probe: PodmanProbe, layouts: Layouts) -> None:
    probe.memory = 64 * 1024 * 1024
    run = observe(probe, layouts.of("eat"), 60).runs[0]
    assert (run.ending, run.exit_code) == ("exited", 137)
    assert run.reason.endswith("out of memory")


def test_a_flood_of_output_is_cut_to_its_end(probe: PodmanProbe, layouts: Layouts) -> None:
    (run,) = observe(probe, layouts.of("flood", "late=1"), 30).runs
    assert run.ending == "answered"
    assert 0 < len(run.log) <= 20
    assert any(line.endswith("of a flood that never ends") for line in run.log)
    assert "\x1b" not in "".join(run.log)


@pytest.mark.parametrize("word", ["deaf", "breed", "dig"])
def test_nothing_is_left_of_one_that_clings(
    probe: PodmanProbe, layouts: Layouts, word: str
) -> None:
    (run,) = observe(probe, layouts.of(word, "late=1"), 30).runs
    assert run.ending == "answered"


def test_nothing_is_left_of_volumes_that_the_image_declares(
    probe: PodmanProbe, layouts: Layouts
) -> None:
    content = Content(command=["/program"], config={"Volumes": {"/data": {}, "/home/jovyan": {}}})
    assert observe(probe, layouts.make(content)).answered is not None


def test_its_images_are_gone_afterwards(
    probe: PodmanProbe, layouts: Layouts, environment: Mapping[str, str]
) -> None:
    before = images(environment)
    observe(probe, layouts.of())
    assert images(environment) == before


def test_the_platform_is_that_of_the_machine(probe: PodmanProbe) -> None:
    assert probe.platform() == "linux/amd64"
    assert probe.available()


def test_without_podman_it_is_not_available_and_says_so() -> None:
    probe = PodmanProbe(environment={"PATH": "/nowhere"})
    assert not probe.available()
    with pytest.raises(ProbeError, match="install it, or use --probe none"):
        probe.platform()


def test_a_runtime_that_is_broken_never_blames_the_image(
    layouts: Layouts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = podman_environment(tmp_path_factory.mktemp("broken"))
    with Path(environment["CONTAINERS_CONF"]).open("a", encoding="utf-8") as conf:
        conf.write('default_ulimits = ["nofile=99999999:99999999"]\n')
    with pytest.raises(ProbeError, match="podman run: "):
        observe(PodmanProbe(environment=environment), layouts.of())
