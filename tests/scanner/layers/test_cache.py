import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.reference import InvalidReference
from webhook.scanner.layers import cacheformat
from webhook.scanner.layers.cache import LayerCache
from webhook.scanner.layers.cacheformat import NoEntry, decode, encode
from webhook.scanner.layers.contents import HomeEntry, LayerContents, Mention, Script

CONTENTS = LayerContents(passwd=b"\xffroot:x:0", hidden=frozenset({"bin/a", "/"}))


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def filled(folder: Path, count: int, limit: int = 1 << 20) -> LayerCache:
    cache = LayerCache(folder, limit=limit)
    for number in range(count):
        cache.put(digest(number), CONTENTS)
    return cache


def the_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=9)
_MENTIONS: st.SearchStrategy[frozenset[Mention]] = st.frozensets(
    st.sampled_from(["NB_PREFIX", "8888", "allow_origin", "tmp_home"])
)


@st.composite
def contents(draw: st.DrawFn) -> LayerContents:
    names = draw(st.lists(_TEXT.map(lambda text: text.replace("/", "")), max_size=3, unique=True))
    files = tuple(sorted(f"home/jovyan/{name}/x" for name in names))
    scripts = draw(st.dictionaries(_TEXT, _MENTIONS, max_size=3))
    return LayerContents(
        passwd=draw(st.none() | st.binary(max_size=99)),
        passwd_link=draw(st.none() | _TEXT),
        scripts={path: Script(path=path, mentions=found) for path, found in scripts.items()},
        home={name: HomeEntry(files=1, size=draw(st.integers(0, 1 << 62))) for name in names},
        home_files=files,
        home_sizes=tuple(draw(st.integers(0, 1 << 62)) for _ in files),
        hidden=draw(st.frozensets(_TEXT, max_size=3)),
    )


@given(found=contents())
def test_what_is_written_is_read_back(found: LayerContents) -> None:
    assert decode(digest(1), encode(digest(1), found)) == found


@given(data=st.binary(max_size=300), at=st.integers(0, 300))
def test_anything_else_is_no_entry(data: bytes, at: int) -> None:
    good = encode(digest(1), CONTENTS)
    changed = good[:at] + data + good[at + len(data) :]
    for candidate in (data, changed, good[:at] if at < len(good) else b""):
        try:
            decode(digest(1), candidate)
        except NoEntry:
            continue
        assert candidate.startswith(b"{")


def test_an_entry_that_does_not_fit_together_is_none() -> None:
    odd = LayerContents(home_files=("home/jovyan/a",), home_sizes=(1,))
    with pytest.raises(NoEntry):
        decode(digest(1), encode(digest(1), odd))


def test_another_process_finds_what_was_put(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "cache"
    assert LayerCache(folder).get(digest(0)) is None
    filled(folder, 1)
    assert LayerCache(folder).get(digest(0)) == CONTENTS
    assert LayerCache(folder).get(digest(1)) is None
    assert folder.stat().st_mode & 0o777 == 0o700


def test_an_entry_of_another_version_or_layer_is_none_and_goes(tmp_path: Path) -> None:
    for wrong in (
        encode(digest(0), CONTENTS).replace(cacheformat.VERSION.encode(), b"0.0"),
        encode(digest(7), CONTENTS),
        encode(digest(0), CONTENTS)[:-1],
        b"",
        b"[" * 100_000,
    ):
        cache = filled(tmp_path / "cache", 1)
        the_file(tmp_path / "cache").write_bytes(wrong)
        assert cache.get(digest(0)) is None
        assert list((tmp_path / "cache").iterdir()) == []


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    size = len(encode(digest(0), CONTENTS))
    cache = filled(tmp_path / "cache", 4, limit=4 * size + 10)
    assert cache.get(digest(0)) is not None
    cache.put(digest(4), CONTENTS)
    assert [n for n in range(5) if cache.get(digest(n))] == [0, 2, 3, 4]
    assert sum(file.stat().st_size for file in (tmp_path / "cache").iterdir()) <= 4 * size + 10


def test_what_is_larger_than_the_cache_is_not_kept_and_drops_nothing(tmp_path: Path) -> None:
    cache = filled(tmp_path / "cache", 1, limit=2000)
    cache.put(digest(1), LayerContents(passwd=b"x" * 2000))
    assert cache.get(digest(1)) is None
    assert cache.get(digest(0)) == CONTENTS


def test_what_a_killed_process_left_goes_after_an_hour(tmp_path: Path) -> None:
    cache = filled(tmp_path / "cache", 1)
    old, new = tmp_path / "cache" / ".a.tmp", tmp_path / "cache" / ".b.tmp"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 4000,) * 2)
    cache.put(digest(1), CONTENTS)
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o720, 0o1777])
def test_a_folder_that_others_can_write_is_not_trusted_and_that_is_said_once(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "cache"
    filled(folder, 1)
    folder.chmod(mode)
    told: list[str] = []
    cache = LayerCache(folder, tell=told.append)
    assert cache.get(digest(0)) is None
    cache.put(digest(1), CONTENTS)
    assert cache.get(digest(1)) is None
    assert len(list(folder.iterdir())) == 1
    reason = "can be written by others, who could forge results; chmod 700 and empty it"
    assert told == [f"layers are not cached: {folder} {reason}"]
    folder.chmod(0o755)
    assert cache.get(digest(0)) == CONTENTS


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    filled(tmp_path / "cache", 1)
    os.chown(tmp_path / "cache", 1234, -1)
    told: list[str] = []
    assert LayerCache(tmp_path / "cache", tell=told.append).get(digest(0)) is None
    assert "belongs to another user" in told[0]


def test_a_file_instead_of_the_folder_is_told_and_nothing_else_happens(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "cache").write_text("x")
    cache = LayerCache(tmp_path / "cache", tell=told.append)
    cache.put(digest(0), CONTENTS)
    assert cache.get(digest(0)) is None
    assert len(told) == 2
    assert all(text.startswith("layers are not cached: ") for text in told)


def test_a_place_where_no_folder_can_be_made_is_told_once() -> None:
    folder = Path("/proc/self/cache")
    told: list[str] = []
    cache = LayerCache(folder, tell=told.append)
    cache.put(digest(0), CONTENTS)
    cache.put(digest(1), CONTENTS)
    assert cache.get(digest(0)) is None
    reason = f"cannot be written, {os.strerror(errno.ENOENT)}; free space or name another"
    assert told == [f"layers are not cached: {folder} {reason}"]


FULL = """
import resource
import sys
from pathlib import Path
from tests.scanner.layers.test_cache import CONTENTS, digest
from webhook.scanner.layers.cache import LayerCache

resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
told = []
cache = LayerCache(Path(sys.argv[1]), tell=told.append)
cache.put(digest(0), CONTENTS)
cache.put(digest(1), CONTENTS)
assert cache.get(digest(0)) is None
print(told)
"""


def test_a_disk_that_takes_no_more_is_told_once_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", FULL, str(tmp_path / "cache")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.count("layers are not cached") == 1
    assert os.strerror(errno.EFBIG) in told
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_digest_that_is_none_never_becomes_a_path(tmp_path: Path) -> None:
    for wrong in ("sha256:../../x", "x", "", "sha256:" + "A" * 64):
        with pytest.raises(InvalidReference):
            LayerCache(tmp_path).get(wrong)
        with pytest.raises(InvalidReference):
            LayerCache(tmp_path).put(wrong, CONTENTS)


WORKER = """
import sys
from pathlib import Path
from tests.scanner.layers.test_cache import CONTENTS, digest
from webhook.scanner.layers.cache import LayerCache

told = []
cache = LayerCache(Path(sys.argv[1]), limit=2000, tell=told.append)
for turn in range(200):
    cache.put(digest(turn % 12), CONTENTS)
    assert cache.get(digest((turn + 5) % 12)) in (None, CONTENTS)
assert told == [], told
"""


def test_processes_and_threads_share_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    command = [sys.executable, "-W", "error", "-c", WORKER, str(folder)]
    workers = [subprocess.Popen(command) for _ in range(2)]
    cache = filled(folder, 1, limit=2000)
    wrong: list[object] = []

    def use() -> None:
        for turn in range(100):
            cache.put(digest(turn % 12), CONTENTS)
            if cache.get(digest(turn % 7)) not in (None, CONTENTS):  # contents have no hash
                wrong.append(turn)

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert wrong == []
    cache.put(digest(1), CONTENTS)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 2000
