"""port-8888, nb-prefix, allow-origin and empty-home: what only starting the image can tell."""

from dataclasses import replace

import pytest

from tests.scanner.checks.sights import answering, at_root, config, failing, files, page, seen
from webhook.core.scan import Check
from webhook.scanner.checks import allow_origin, empty_home, nb_prefix, port_8888
from webhook.scanner.checks.seen import Seen
from webhook.scanner.judging import serving_of
from webhook.scanner.probes.observation import Run


def decided(sight: Seen) -> dict[str, Check]:
    checks = [decide.check(sight) for decide in (port_8888, nb_prefix, allow_origin, empty_home)]
    return {check.requirement: check for check in checks}


def results(*runs: Run) -> str:
    return " ".join(check.result for check in decided(seen(*runs)).values())


ELSEWHERE = "https://kubeflow.example.com"


@pytest.mark.parametrize(
    ("runs", "serving", "expected"),
    [
        ([answering()], "Prefix", "Pass Pass Pass Pass"),
        ([failing(), answering(confined=False)], "Prefix", "Pass Pass Pass Pass"),
        ([answering(prefix=page(origin=None))], "Prefix", "Pass Pass Fail Pass"),
        ([answering(prefix=page(origin=ELSEWHERE))], "Prefix", "Pass Pass Fail Pass"),
        ([at_root()], "Root", "Pass Fail Fail Pass"),
        ([at_root(root=page())], "Root", "Pass Fail Pass Pass"),
        ([answering(prefix=page(404))], "None", "Pass Fail Unknown Pass"),
        ([answering(prefix=page(500))], "None", "Pass Fail Unknown Pass"),
        ([answering(prefix=page(302, left="/lab"))], "None", "Pass Fail Unknown Pass"),
        ([failing(), failing(), failing(home=False)], "None", "Fail Unknown Unknown Unknown"),
        ([failing("silent", listening=(8000,))], "None", "Fail Unknown Unknown Unknown"),
        ([failing("refused", reason="no such program")], "None", "Fail Unknown Unknown Unknown"),
        ([failing(), failing(), answering(home=False)], "Prefix", "Pass Pass Pass Fail"),
    ],
)
def test_what_a_probe_saw_decides(runs: list[Run], serving: str, expected: str) -> None:
    assert results(*runs) == expected
    assert serving_of([seen(*runs)]) == serving


def test_without_a_probe_nothing_is_guessed() -> None:
    sight = seen(unprobed="it was not started: add --probe podman")
    assert {check.result for check in decided(sight).values()} == {"Unknown"}
    assert serving_of([sight]) == "Unknown"
    for check in decided(sight).values():
        assert check.message.startswith("it was not started: add --probe podman")
        assert check.evidence is None


def test_without_a_probe_the_clues_are_told() -> None:
    read = files(scripts={"etc/services.d/jupyter/run": frozenset({"NB_PREFIX", "8888"})})
    checks = decided(seen(read=read))
    script = "/etc/services.d/jupyter/run mention it"
    assert script in checks["nb-prefix"].message
    assert f"(it exposes 8888; {script})" in checks["port-8888"].message
    assert script not in checks["allow-origin"].message


def test_an_image_without_a_program_fails_without_a_probe() -> None:
    check = decided(seen(image=config(command=())))["port-8888"]
    assert (check.result, check.evidence) == ("Fail", "Config")
    assert "add a CMD" in check.message


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (failing(exit_code=3, log=("start", "boom", " ")), "exited with code 3 before anything"),
        (failing(exit_code=3, log=("start", "boom", " ")), "its last words: boom"),
        (failing(exit_code=137, reason="OOMKilled"), "exited with code 137 (OOMKilled)"),
        (failing("silent", loopback=True), "127.0.0.1:8888 only: make it listen on 0.0.0.0"),
        (failing("silent", listening=(8000, 9000)), "listens on 8000, 9000, not on 8888"),
        (failing("silent", log=("waiting",)), "within 120 s; its last words: waiting"),
        (
            failing("silent", reason="8888 takes connections, but never answers"),
            "but never answers",
        ),
        (failing("refused", reason="exec format error"), "could not be started: exec format error"),
    ],
)
def test_a_failed_start_says_how(run: Run, words: str) -> None:
    assert words in decided(seen(run))["port-8888"].message


def test_what_strangers_log_cannot_break_a_line() -> None:
    run = failing(exit_code=1, log=("\x1b[31mred\nnext\u2028" + "x" * 5000,))
    message = decided(seen(run))["port-8888"].message
    assert message.isprintable()
    assert len(message) <= 300


def test_a_prefix_failure_names_the_status_and_where_it_answers_instead() -> None:
    assert decided(seen(at_root()))["nb-prefix"].message == (
        "404 under NB_PREFIX; it answers at / only: set its base URL to NB_PREFIX"
    )
    jupyter = at_root(rewritten=page(302, left="/lab"))
    assert "not behind a rewrite to / either, for it redirects to /lab" in (
        decided(seen(jupyter))["nb-prefix"].message
    )
    left = answering(prefix=page(302, left="https://login.example.com/"))
    assert "redirects out of it, to https://login" in decided(seen(left))["nb-prefix"].message


def test_an_empty_volume_that_kills_says_what_it_hides() -> None:
    died = failing(exit_code=1, log=("ModuleNotFoundError: No module named 'app'",))
    sight = seen(
        died,
        replace(died, confined=False),
        answering(home=False, confined=False),
        read=files(home={"app": 3, ".bashrc": 1}),
    )
    check = decided(sight)["empty-home"]
    assert check.evidence == "Probe"
    assert "exited with code 1" in check.message
    assert "hides 4 files of it: .bashrc, app; its last words: ModuleNotFoundError" in check.message
    assert check.message.index("outside /home/jovyan") < check.message.index("hides")


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"entrypoint": ("/home/jovyan/start.sh",), "command": ()}, "Fail"),
        ({"entrypoint": ("tini", "--", "/home/jovyan/start.sh"), "command": ()}, "Fail"),
        ({"command": ("/home/jovyan/venv/bin/python", "-m", "app")}, "Fail"),
        ({"command": ("python3", "-u", "app.py"), "working_dir": "/home/jovyan"}, "Fail"),
        ({"command": ("bash", "/opt/../home/jovyan/x.sh"), "working_dir": "/"}, "Fail"),
        ({"command": ("python3", "app.py"), "working_dir": "/opt/app"}, "Unknown"),
        ({"command": ("/opt/start", "/home/jovyan/work")}, "Unknown"),
        ({"command": ("sh", "-c", "/home/jovyan/start.sh")}, "Unknown"),
        ({"command": ("python3", "-m", "app"), "working_dir": "/home/jovyan"}, "Unknown"),
        ({"entrypoint": ("/home/jovyanna/start.sh",)}, "Unknown"),
    ],
)
def test_only_a_program_that_the_volume_hides_fails_without_a_probe(
    changes: dict[str, object], result: str
) -> None:
    assert decided(seen(image=config(**changes)))["empty-home"].result == result


def test_a_hidden_program_that_a_script_restores_is_left_to_a_probe() -> None:
    image = config(entrypoint=("/home/jovyan/start.sh",))
    restoring = files(scripts={"etc/cont-init.d/01": frozenset({"tmp_home"})})
    assert decided(seen(image=image, read=restoring))["empty-home"].result == "Unknown"
    assert decided(seen(image=image, read=files(complete=False)))["empty-home"].result == "Unknown"


def test_lower_layers_are_needed_until_the_passwd_and_a_restoring_script_are_known() -> None:
    plain = empty_home.enough_of(config())
    assert plain(files(complete=False))
    assert not plain(replace(files(complete=False), passwd_known=False))
    hidden = empty_home.enough_of(config(entrypoint=("/home/jovyan/start.sh",)))
    assert not hidden(files(complete=False))
    assert hidden(files(complete=False, scripts={"x": frozenset({"tmp_home"})}))
