"""The machine's clock is set forward and back under a running server: what rests on it follows, and comes back."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.images.machine import unavailable
from tests.server.documents import IMAGE, policy, put, scan
from tests.server.running import RunningServer, recorded

SECONDS = 10  # within which a jump is made up for; it takes about one
DAY = 86400
BAD = "registry.example.com/bad:1"
WINDOW = 600  # within which the same refusal is not recorded again


class Clock:
    """The clock of one process; `set` makes it that many seconds fast."""

    def __init__(self, folder: Path) -> None:
        self._place, library = folder / "clock", folder / "clock.so"
        compiler = shutil.which("gcc")
        if compiler is None:
            unavailable("no clock can be set here: there is no gcc")
        source = Path(__file__).with_name("clock.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        self._place.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(self._place)}

    def set(self, seconds: float) -> None:
        with self._place.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), int(seconds).to_bytes(8, "little", signed=True), 0)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def running(clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a scan of now, a policy by which what is stale is refused, and an exemption of a month."""
    home = tmp_path_factory.mktemp("home")
    exemption = {
        "name": "a-month",
        "namespaces": ["exempt"],
        "reason": "a test",
        "expires": f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}",
    }
    nothing = {"pinDigest": False, "nbPrefix": False, "runAsUser": None, "home": None}
    stale = {"after": "168h", "action": "Deny"}
    put(home / "policy.json", policy(pod=nothing, stale=stale, exemptions=[exemption]))
    bad = scan_of_now(BAD, name="bad", digit="b", failing=("uid-1000",))
    put(home / "scans" / "scan.json", scan_of_now())
    put(
        home / "scans" / "other.json",
        bad,
    )
    flags = ("--policy", str(home / "policy.json"), "--audit-level", "all")
    with RunningServer(home, *flags, environment=clock.environment) as server:
        yield server


@pytest.fixture
def server(running: RunningServer, clock: Clock) -> Iterator[RunningServer]:
    """The same with its clock right, before and after."""
    yield running
    clock.set(0)


def scan_of_now(
    image: str = IMAGE, *, name: str = "scan", digit: str = "a", failing: tuple[str, ...] = ()
) -> dict[str, object]:
    document = scan(image, name=name, digit=digit, failing=failing)
    document["status"]["resolvedAt"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return document


def refusal(server: RunningServer, image: str = IMAGE, namespace: str = "team-a") -> str:
    review = recorded("create-pods")
    review["request"]["namespace"] = namespace
    review["request"]["object"]["spec"]["containers"][0]["image"] = image
    answer = server.review("validate", review)
    return "" if answer["allowed"] else str(answer["status"]["message"])


def test_what_is_stale_or_exempt_is_so_by_the_clock_of_the_moment(
    server: RunningServer, clock: Clock
) -> None:
    """Nothing of a wrong time outlives it; and a clock that is slow makes no scan one of the future."""
    bad = (BAD, "exempt")
    for days, stale, expired in ((0, 0, 0), (8, 1, 0), (-400, 0, 0), (45, 1, 1), (0, 0, 0)):
        clock.set(days * DAY)
        assert ("[stale]" in refusal(server)) == bool(stale)
        assert ("[uid-1000]" in refusal(server, *bad)) == bool(expired)
        day = datetime.now(UTC) + timedelta(days=days)
        assert server.records()[-1]["time"].startswith(f"{day:%Y-%m-}")


def test_equal_refusals_are_counted_by_a_clock_that_nobody_sets(
    server: RunningServer, clock: Clock
) -> None:
    """Else a clock that was set back would silence the log for as long, and one set forward flood it."""
    before = len(server.records())
    for ahead in (0, 2 * WINDOW, -2 * WINDOW, 0):
        clock.set(ahead)
        for _ in range(3):
            assert "[unscanned]" in refusal(server, "registry.example.com/unknown:1")
    assert len(server.records()) == before + 1


def test_files_that_were_written_when_the_clock_was_set_back_count_in_time(
    server: RunningServer, clock: Clock
) -> None:
    """A YAML file must rest before it is read: by such a clock it once rested only an hour later.

    Some of these were seen by the last look before that, and had not rested yet.
    """
    images = [f"registry.example.com/late:{number}" for number in range(9)]
    for number, image in enumerate(images):
        document = scan_of_now(image, name=f"late-{number}")
        put(server.home / "scans" / f"late-{number}.yaml", document)
        time.sleep(0.1)
    clock.set(-3600)
    server.eventually(
        lambda: not any(refusal(server, image) for image in images), SECONDS, "the scans to count"
    )


def greets(server: RunningServer) -> bool:
    """Whether a client whose clock is right is served over a new connection."""
    try:
        return server.fresh_get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_certificate_of_another_time_is_replaced_when_the_clock_is_right_again(
    server: RunningServer, clock: Clock
) -> None:
    """Renewed at a wrong time it begins in the future, and clients would refuse it until then."""
    clock.set(100 * DAY)
    server.eventually(lambda: "new certificate" in last_word(server), SECONDS, "a renewal")
    assert not greets(server)
    clock.set(0)
    server.eventually(lambda: greets(server), SECONDS, "a certificate that holds now")


def test_a_clock_before_the_certificate_changes_nothing_and_is_told(
    server: RunningServer, clock: Clock
) -> None:
    """What serves was good by a later clock, and no other can be issued by a CA of the future."""
    pair = (server.home / "certs" / "tls.crt").read_bytes()
    clock.set(-30 * DAY)
    server.eventually(lambda: "set the clock right" in last_word(server), SECONDS, "its word")
    told = len(server.log)
    time.sleep(1.2)  # two looks more
    assert server.log[told:] == []
    assert greets(server)
    assert (server.home / "certs" / "tls.crt").read_bytes() == pair


def last_word(server: RunningServer) -> str:
    told = [line for line in server.log if "certificate" in line]
    return told[-1] if told else ""
