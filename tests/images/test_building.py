"""The images of the tests are built when they must be, whole or not at all, and hold nothing of this machine's."""

from __future__ import annotations

import fcntl
import gzip
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cluster.test_kubeflow_images import CUDA, OTHERS
from tests.cluster.waiting import wait_for
from tests.images import building, kubeflow
from tests.images.buildah import BuildFailed, CannotBuild
from tests.images.catalogue import UnknownImage, names, recipe, recipe_of
from tests.images.machine import require_images
from tests.images.recipe import CONTAINERFILE, PREPARE, File, Recipe

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def base(request: pytest.FixtureRequest) -> Path:
    """The layout that all images build on; where it cannot be built, nothing here can."""
    return require_images(request.config, "debian")["debian"]


def small(content: str = "one", prepare: str | None = None, below: str = "scratch") -> Recipe:
    files = {
        CONTAINERFILE: File(content=f"FROM {below}\nCOPY file /\n".encode()),
        "file": File(content=content.encode()),
    }
    if prepare:
        files[PREPARE] = File(content=f"#!/bin/sh\n{prepare}\n".encode(), executable=True)
    return recipe_of("small", files)


def built(cache: Path, *recipes: Recipe) -> tuple[list[Path], list[str]]:
    """Return the layouts and what the person who waits was told."""
    said: list[str] = []
    return building.built(list(recipes), cache, said.append), said


def blobs(layout: Path) -> list[bytes]:
    """Return a layout's blobs, unpacked."""
    found = [path.read_bytes() for path in (layout / "blobs/sha256").iterdir()]
    return [gzip.decompress(blob) if blob.startswith(b"\x1f\x8b") else blob for blob in found]


def layers(layout: Path) -> list[str]:
    path = layout / "blobs" / building.digest(layout).replace(":", "/")
    return [layer["digest"] for layer in json.loads(path.read_bytes())["layers"]]


def test_the_key_changes_with_a_files_content_and_with_its_mode() -> None:
    one = small()
    assert one.key(None) == small().key(None)
    other_mode = {**one.files, "file": File(content=b"one", executable=True)}
    others = small("two"), recipe_of("small", other_mode)
    assert len({each.key(None) for each in (one, *others)}) == 3


def test_the_key_changes_with_the_base() -> None:
    assert small().key("sha256:1") == small().key("sha256:1") != small().key("sha256:2")


def test_no_two_recipes_have_one_key() -> None:
    assert len({recipe(name).key(None) for name in names()}) == len(names())


def test_a_recipe_that_nobody_knows_is_refused_and_named() -> None:
    with pytest.raises(UnknownImage, match="no recipe jupiter "):
        recipe("jupiter")


def test_a_recipe_on_an_image_from_elsewhere_is_refused() -> None:
    files = {CONTAINERFILE: File(content=b"FROM docker.io/library/debian\n")}
    with pytest.raises(UnknownImage, match="neither FROM scratch nor FROM localhost"):
        recipe_of("small", files)


def test_an_image_is_built_once(tmp_path: Path) -> None:
    [layout], said = built(tmp_path, small())
    assert len(said) == 1
    assert any(b"one" in blob for blob in blobs(layout))
    assert built(tmp_path, small()) == ([layout], [])


def test_two_runs_at_once_build_an_image_once(tmp_path: Path) -> None:
    results: list[tuple[list[Path], list[str]]] = []
    slow = small(prepare="sleep 0.5")
    runs = [
        threading.Thread(target=lambda: results.append(built(tmp_path, slow))) for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    [(first, said), (second, said_too)] = results
    assert first == second
    assert len(said + said_too) == 1


def test_a_new_image_takes_the_place_of_the_recipes_old_one(tmp_path: Path) -> None:
    [old], _ = built(tmp_path, small("one"))
    [new], _ = built(tmp_path, small("two"))
    assert list(old.parent.iterdir()) == [new]


def test_a_killed_build_leaves_no_half_result_and_nothing_running(tmp_path: Path) -> None:
    cache, go = tmp_path / "cache", tmp_path / "go"
    waiting = small(prepare=f"test -e {go} || {{ touch started; sleep 600; }}")
    # A process of its own, without what this one has open or running.
    build = multiprocessing.get_context("spawn").Process(target=built, args=(cache, waiting))
    build.start()
    wait_for((cache / ".build/context/started").exists, 30, "the build to start")
    build.kill()
    build.join()

    with (cache / ".lock").open() as lock:
        wait_for(lambda: locked(lock.fileno()), 10, "all programs of the build to end")
    assert not (cache / "small").exists()
    go.touch()
    [layout], _ = built(cache, waiting)
    assert (layout / "index.json").exists()
    assert not (cache / ".build").exists()


def locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_a_failed_build_shows_the_end_of_its_output_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"preparing small: exit code 7\nno luck today"):
        built(tmp_path, small(prepare="echo no luck today; exit 7"))
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_machine_that_lacks_something_is_told_apart_from_a_failure(tmp_path: Path) -> None:
    with pytest.raises(CannotBuild, match="preparing small: no mirror here"):
        built(tmp_path, small(prepare="echo no mirror here; exit 3"))


def test_an_image_is_built_anew_when_its_base_is(tmp_path: Path) -> None:
    """Not even the same recipe makes the same layers twice, and it may have had another one in between."""
    files = {
        CONTAINERFILE: File(content=b"FROM localhost/small\nCOPY file /more\n"),
        "file": File(content=b""),
    }
    above = Recipe(name="above", base=small("one"), files=files)
    built(tmp_path, above)
    built(tmp_path, small("two"))
    [again, base], said = built(tmp_path, above, small("one"))
    assert len(said) == 2
    assert layers(again)[:-1] == layers(base)


def test_an_image_shares_its_bases_layers_and_they_lie_on_the_disk_once(base: Path) -> None:
    above = building.image("conforming")
    [shared] = layers(base)
    assert layers(above)[0] == shared
    assert len(layers(above)) > 1
    path = Path("blobs") / shared.replace(":", "/")
    assert (above / path).samefile(base / path)


def test_the_base_names_no_mirror_of_this_machine(base: Path) -> None:
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    mirrors = {str(urlsplit(line).hostname).encode() for line in listed.stdout.splitlines()}
    assert mirrors
    assert [host for host in mirrors for blob in blobs(base) if host in blob] == []


def test_the_base_holds_no_file_that_tells_of_this_machine(base: Path) -> None:
    told = [name for name in files_of(base) if TELLING.match(name)]
    assert told == []


@pytest.mark.parametrize(
    "name",
    ["etc/apt/sources.list", "etc/apt/sources.list.d/x.sources", "etc/resolv.conf", "etc/pip.conf"],
)
def test_such_a_file_would_be_found(name: str) -> None:
    assert TELLING.match(name)


def test_pips_settings_reach_a_build_and_no_image(tmp_path: Path) -> None:
    """Made up, so that they can be searched for: this machine may have none."""
    build = subprocess.run(
        [sys.executable, "-c", BUILD_WITH_SETTINGS, tmp_path],
        cwd=REPOSITORY,
        env={**os.environ, "PIP_INDEX_URL": "http://index-of-packages.invalid/simple"},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    layout = Path(build.stdout.strip())
    assert {"reads-settings", "seen"} <= set(files_of(layout))
    assert not any(b"index-of-packages" in blob for blob in blobs(layout))
    assert [name for name in files_of(layout) if TELLING.match(name)] == []


BUILD_WITH_SETTINGS = """
import sys
from pathlib import Path
from tests.images import building
from tests.images.test_building import with_settings
print(*building.built([with_settings()], Path(sys.argv[1]), lambda line: None))
"""
# A program that needs no base. It looks for less than what is searched for in the image.
READS_SETTINGS = b"""
#include <stdio.h>
#include <string.h>
int main(void) {
    char text[4096] = "";
    FILE *settings = fopen("/run/secrets/pip.conf", "r"), *seen = fopen("/seen", "w");
    if (!settings || !seen || !fread(text, 1, sizeof text - 1, settings)) return 1;
    fputs("yes", seen);
    return !strstr(text, "packages.invalid");
}
"""
WITH_SETTINGS = b"""FROM scratch
COPY reads-settings /
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=authorities.pem ["/reads-settings"]
"""
# Where addresses, names and keys of a machine stand, as paths in a layer.
TELLING = re.compile(
    r"etc/(apt/(sources\.list|sources\.list\.d/.+|auth\.conf.*)|pip\.conf|resolv\.conf|hostname|hosts)$"
    r"|root/\.(config/)?pip/.*|run/secrets.*|var/log/.+|var/lib/apt/lists/.+"
)


def with_settings() -> Recipe:
    compile_it = b"#!/bin/sh\ngcc -static -o reads-settings reads-settings.c\n"
    files = {
        CONTAINERFILE: File(content=WITH_SETTINGS),
        "reads-settings.c": File(content=READS_SETTINGS),
        PREPARE: File(content=compile_it, executable=True),
    }
    return recipe_of("with-settings", files)


def files_of(layout: Path) -> list[str]:
    """Return the paths of all files in all layers that hold anything.

    A build binds some files of the machine over empty ones, which stay.
    """
    found = []
    for digest in layers(layout):
        with tarfile.open(layout / "blobs" / digest.replace(":", "/")) as layer:
            found += [each.name.removeprefix("./") for each in layer if each.size]
    return found


def test_kubeflows_images_are_the_seventeen() -> None:
    assert set(kubeflow.IMAGES) == CUDA | OTHERS
    assert {name for name, made in kubeflow.IMAGES.items() if made.cuda} == CUDA
    assert set(kubeflow.IMAGES) <= set(names())
