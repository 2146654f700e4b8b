"""The seven together: the worst over the platforms."""

from pathlib import Path

from tests.scanner.checks.sights import answering, at_root, config, failing, seen
from webhook.core.requirements import REQUIREMENTS
from webhook.scanner import checks as room
from webhook.scanner.judging import CHECKS, judge, serving_of, verdict_of

AMD, ARM = "linux/amd64", "linux/arm64"


def test_every_requirement_has_its_check_in_the_order_of_the_contract() -> None:
    found = judge({AMD: seen(answering())})
    assert tuple(check.requirement for check in found) == REQUIREMENTS
    assert verdict_of(found) == "Conforms"


def test_every_requirement_has_a_file_of_its_own() -> None:
    folder = Path(room.__path__[0])
    for requirement, check in zip(REQUIREMENTS, CHECKS, strict=True):
        name = requirement.replace("-", "_")
        assert (folder / f"{name}.py").is_file()
        assert check.__module__ == f"webhook.scanner.checks.{name}"


def test_the_worst_platform_is_what_counts_and_is_named() -> None:
    good, root = seen(answering()), seen(answering(), image=config(user=""))
    checks = {check.requirement: check for check in judge({AMD: good, ARM: root})}
    assert checks["uid-1000"].result == "Fail"
    assert checks["uid-1000"].message == 'linux/arm64: user root has UID 0: add "USER 1000"'
    assert checks["port-8888"].result == "Pass"
    assert not checks["port-8888"].message.startswith("linux/")
    assert verdict_of(list(checks.values())) == "Violates"


def test_a_platform_that_was_not_started_leaves_the_verdict_open() -> None:
    sights = {AMD: seen(answering()), ARM: seen(unprobed="linux/arm64 was not started")}
    assert verdict_of(judge(sights)) == "Unknown"
    assert serving_of(list(sights.values())) == "Prefix"


def test_what_fails_beats_what_is_unknown() -> None:
    assert verdict_of(judge({AMD: seen(failing())})) == "Violates"
    assert verdict_of(judge({AMD: seen(at_root())})) == "Violates"
