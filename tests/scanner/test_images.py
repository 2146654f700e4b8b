"""Images that are really built, from a real registry, started by podman: each gets the verdict that it deserves."""

from __future__ import annotations

import pytest

from tests.scanner.shelf import Shelf, check, failures, unknown
from webhook.core.requirements import REQUIREMENTS
from webhook.scanner.probes.podman import PodmanProbe

USER = {"user-jovyan", "uid-1000", "home-jovyan"}


def test_a_real_jupyterlab_conforms_by_evidence(shelf: Shelf, podman: PodmanProbe) -> None:
    status = shelf.scan("jupyterlab", podman, timeout=120).document.status
    assert (status.verdict, status.serving) == ("Conforms", "Prefix")
    assert [(c.requirement, c.result) for c in status.checks] == [(r, "Pass") for r in REQUIREMENTS]
    assert {c.requirement: c.evidence for c in status.checks} == {
        "port-8888": "Probe",
        "nb-prefix": "Probe",
        "allow-origin": "Probe",
        "user-jovyan": "Layers",
        "uid-1000": "Layers",
        "home-jovyan": "Layers",
        "empty-home": "Probe",
    }
    assert all(c.message for c in status.checks)


# image, what fails, words of its message that lead to the cure
ONE_FAILURE = [
    ("no-port", "port-8888", "listens on 8000, not on 8888: set its port to 8888"),
    ("no-prefix", "nb-prefix", "404 under NB_PREFIX; it answers at / only: set its base URL"),
    ("no-origin", "allow-origin", 'no Access-Control-Allow-Origin: send "Access-Control'),
    ("not-jovyan", "user-jovyan", "not jovyan: add"),
    ("not-uid-1000", "uid-1000", 'UID 1001: add "RUN usermod --uid 1000 jovyan" and'),
    ("not-home", "home-jovyan", "ENV HOME=/home/jovyan"),
    ("not-empty-home", "empty-home", "install it outside /home/jovyan"),
    ("hidden-home", "empty-home", "its last words:"),
    ("loopback-only", "port-8888", "127.0.0.1:8888 only: make it listen on 0.0.0.0"),
    ("crashes", "port-8888", "exited with code 3"),
]


@pytest.mark.parametrize(("name", "requirement", "words"), ONE_FAILURE)
def test_an_image_that_fails_in_one_thing_fails_in_that_alone(
    shelf: Shelf, podman: PodmanProbe, name: str, requirement: str, words: str
) -> None:
    scanned = shelf.scan(name, podman, timeout=8)
    status = scanned.document.status
    assert status.verdict == "Violates"
    assert set(failures(status)) == {requirement}
    assert words in failures(status)[requirement]
    silent = requirement == "port-8888"
    assert unknown(status) == ({"nb-prefix", "allow-origin", "empty-home"} if silent else set())


def test_every_requirement_has_an_image_that_fails_in_it_alone() -> None:
    assert {requirement for _, requirement, _ in ONE_FAILURE} == set(REQUIREMENTS)


def test_a_server_at_root_is_told_from_one_that_a_rewrite_breaks(
    shelf: Shelf, podman: PodmanProbe
) -> None:
    scanned = shelf.scan("root-only", podman)
    status = scanned.document.status
    assert (status.serving, status.facts.rewritable) == ("Root", True)
    assert set(failures(status)) == {"nb-prefix", "allow-origin"}
    assert "http-rewrite-uri" in "".join(scanned.notes)
    breaks = shelf.scan("docker-stacks-like", podman).document.status
    assert (breaks.serving, breaks.facts.rewritable) == ("Root", False)
    assert "redirects to /lab" in failures(breaks)["nb-prefix"]


def test_an_image_that_serves_nothing_says_so(shelf: Shelf, podman: PodmanProbe) -> None:
    status = shelf.scan("serves-nothing", podman, timeout=4).document.status
    assert (status.verdict, status.serving) == ("Violates", "None")
    assert "nothing answered on 8888" in failures(status)["port-8888"]


def test_an_image_that_needs_root_fails_by_its_user_and_by_its_start(
    shelf: Shelf, podman: PodmanProbe
) -> None:
    scanned = shelf.scan("needs-root", podman)
    found = failures(scanned.document.status)
    assert set(found) == USER | {"port-8888"}
    assert 'add "USER 1000"' in found["uid-1000"]
    assert scanned.log


def test_a_slow_starter_is_waited_for(shelf: Shelf, podman: PodmanProbe) -> None:
    status = shelf.scan("slow-start", podman, timeout=60).document.status
    assert status.verdict == "Conforms"
    assert float(check(status, "port-8888").message.split()[3]) > 10


def test_a_home_that_a_script_restores_conforms(shelf: Shelf, podman: PodmanProbe) -> None:
    assert shelf.scan("restores-home", podman).document.status.verdict == "Conforms"


def test_what_keeps_it_out_of_a_frame_is_advice_only(shelf: Shelf, podman: PodmanProbe) -> None:
    scanned = shelf.scan("xframe-deny", podman)
    assert scanned.document.status.verdict == "Conforms"
    assert scanned.document.status.facts.frame_guard == "X-Frame-Options: DENY"
    assert "X-Frame-Options: DENY" in "".join(scanned.notes)


def test_the_log_of_a_crash_is_shown_without_its_control_characters(
    shelf: Shelf, podman: PodmanProbe
) -> None:
    scanned = shelf.scan("crashes", podman)
    assert scanned.log
    assert all(line.isprintable() for line in scanned.log)
