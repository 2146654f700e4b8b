"""Scans and policies that are half written, or swapped as ConfigMaps are: each answer is by a whole one."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.server.documents import policy, put, scan
from tests.server.running import RunningServer, recorded

SECONDS = 10  # within which a change counts; it takes about one
PATCHES: Mapping[str, Any] = {"pinDigest": False, "nbPrefix": False, "runAsUser": None}
ONE, TWO = "registry.example.com/one:1", "registry.example.com/two:1"


def lenient(**spec: object) -> dict[str, Any]:
    return policy(pod={**PATCHES, "home": None}, **spec)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One whose policy and scans are files in place, in YAML."""
    home = tmp_path_factory.mktemp("home")
    put(home / "policy.yaml", yaml.safe_dump(lenient()))
    put(home / "scans" / "one.yaml", yaml.safe_dump(scan(ONE)))
    with RunningServer(home, "--audit-log", "none") as running:
        yield running


def judged(server: RunningServer, image: str) -> str:
    """Why a pod with this image is refused; empty when it is not."""
    review = recorded("create-pods")
    review["request"]["object"]["spec"]["containers"][0]["image"] = image
    answer = server.review("validate", review)
    return "" if answer["allowed"] else str(answer["status"]["message"])


@contextmanager
def asking(server: RunningServer, *images: str) -> Iterator[dict[str, set[str]]]:
    """Ask without pause; give all answers by image."""
    answers: dict[str, set[str]] = {image: set() for image in images}
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.01):
            for image in images:
                answers[image].add(judged(server, image))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()


def trickle(path: Path, text: str, seconds: float = 1.2) -> None:
    """Write a file in place, a bit now and a bit later: for longer than two looks take."""
    with path.open("w") as file:
        step = len(text) // 12 + 1
        for start in range(0, len(text), step):
            file.write(text[start : start + step])
            file.flush()
            time.sleep(seconds / 12)


def test_half_a_policy_never_decides(server: RunningServer) -> None:
    """Each line more makes it another valid policy: it begins as one by which an unknown image is only warned of."""
    fields = {
        "pod": {**PATCHES, "home": None},
        "unscanned": "Warn",
        "registries": {"allow": ["registry.example.com/**"]},
    }
    text = yaml.safe_dump({**lenient(), "spec": fields}, sort_keys=False)
    head, _, rest = text.partition("registries:")
    assert yaml.safe_load(head)["spec"]["unscanned"] == "Warn"
    before = judged(server, "docker.io/library/unknown:1")
    assert "[unscanned]" in before
    with asking(server, "docker.io/library/unknown:1") as answers:
        trickle(server.home / "policy.yaml", head + "registries:" + rest)
        server.eventually(
            lambda: "[registry]" in judged(server, "docker.io/library/unknown:1"),
            SECONDS,
            "the whole",
        )
    after = judged(server, "docker.io/library/unknown:1")
    assert answers["docker.io/library/unknown:1"] <= {before, after}
    put(server.home / "policy.yaml", yaml.safe_dump(lenient()))
    server.eventually(lambda: "[registry]" not in judged(server, "x:1"), SECONDS, "the first one")


@pytest.mark.parametrize(
    ("name", "write"), [("one.yaml", yaml.safe_dump), ("one.json", json.dumps)]
)
def test_half_a_scan_never_decides(
    server: RunningServer, name: str, write: Callable[[object], str]
) -> None:
    """Its checks come one by one, and the last of them fails."""
    (server.home / "scans" / "one.yaml").rename(server.home / "scans" / name)
    time.sleep(0.6)  # a look
    before = judged(server, ONE)
    with asking(server, ONE) as answers:
        trickle(server.home / "scans" / name, write(scan(ONE, failing=("empty-home",))))
        server.eventually(lambda: "[empty-home]" in judged(server, ONE), SECONDS, "the whole")
    assert answers[ONE] <= {before, judged(server, ONE)}
    put(server.home / "scans" / name, write(scan(ONE)))
    server.eventually(lambda: not judged(server, ONE), SECONDS, "the first one")
    (server.home / "scans" / name).rename(server.home / "scans" / "one.yaml")


def test_what_a_writer_left_half_is_told_and_what_was_there_decides(server: RunningServer) -> None:
    """It was killed, or its disk was full: until somebody writes the whole, and that counts at once."""
    whole = json.dumps(scan(TWO))
    put(server.home / "scans" / "two.json", whole)
    server.eventually(lambda: not judged(server, TWO), SECONDS, "the second scan")
    bad = json.dumps(scan(TWO, failing=("uid-1000",)))
    (server.home / "scans" / "two.json").write_text(bad[: len(bad) // 2])
    server.eventually(lambda: unreadable(server) == 1, SECONDS, "it to be counted")
    assert judged(server, TWO) == judged(server, ONE) == ""
    assert any("two.json" in line and "ends in the middle" in line for line in server.log)
    assert server.client.get("/readyz").status_code == 200
    (server.home / "scans" / "two.json").write_text(bad)
    server.eventually(lambda: "[uid-1000]" in judged(server, TWO), SECONDS, "the whole")
    assert unreadable(server) == 0


def unreadable(server: RunningServer) -> int:
    name = 'nbgate_unreadable_documents{kind="ImageScan"} '
    return int(float(server.client.get("/metrics").text.partition(name)[2].split()[0]))


# -- as kubelet mounts a ConfigMap -----------------------------------------------------------------


class Mounted:
    """A folder as kubelet's AtomicWriter keeps it: visible links to `..data`, which is swapped whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        folder.mkdir()

    def hold(self, **documents: object) -> None:
        """Swap to these documents; what was there before is removed at once, as kubelet does."""
        before = self.folder / "..data"
        stale = before.resolve() if before.is_symlink() else None
        self._count += 1
        data = self.folder / f"..2026_{self._count}"
        data.mkdir()
        for name, document in documents.items():
            (data / f"{name}.json").write_text(json.dumps(document))
            link = self.folder / f"{name}.json"
            if not link.is_symlink():
                link.symlink_to(Path("..data") / link.name)
        fresh = self.folder / "..data_tmp"
        fresh.symlink_to(data.name)
        fresh.replace(before)
        if stale is not None:
            for file in stale.iterdir():
                file.unlink()
            stale.rmdir()


def test_swaps_of_mounted_config_maps_are_taken_whole_and_never_miss_an_answer(
    tmp_path: Path,
) -> None:
    """Twice a second, as kubelet never does: an image is judged by the one scan or the other, never by none."""
    scans, policies = Mounted(tmp_path / "scans"), Mounted(tmp_path / "policy")
    states = [
        {"one": scan(ONE), "two": scan(TWO, name="two", digit="b", failing=("uid-1000",))},
        {"one": scan(ONE, failing=("uid-1000",)), "two": scan(TWO, name="two", digit="b")},
    ]
    scans.hold(**states[0])
    policies.hold(policy=lenient())
    flags = ("--policy", str(policies.folder / "policy.json"), "--audit-log", "none")
    with RunningServer(tmp_path, *flags) as server:
        words = {judged(server, ONE), judged(server, TWO).replace(TWO, ONE)}
        assert len(words) == 2
        with asking(server, ONE, TWO) as answers:
            for number in range(1, 6):
                scans.hold(**states[number % 2])
                policies.hold(policy=lenient(unknown=("Warn", "Deny")[number % 2]))
                time.sleep(0.45)
            server.eventually(lambda: not judged(server, TWO), SECONDS, "the last of them")
            assert "[uid-1000]" in judged(server, ONE)
        assert {word.replace(TWO, ONE) for word in answers[ONE] | answers[TWO]} == words
        assert server.client.get("/readyz").status_code == 200
        assert unreadable(server) == 0
