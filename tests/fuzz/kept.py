"""What nbgate itself wrote and reads again, and the two streams: snapshot, layer cache, audit log, list of objects."""

import gzip
import hashlib
import io
from contextlib import suppress
from pathlib import Path

import orjson

from tests.fuzz.folders import fresh_folder
from tests.fuzz.target import Target, one_line
from tests.stores.auditentries import a_record, violating
from tests.stores.kubedouble import KubeDouble
from tests.stores.samples import policy_document, scan_document
from webhook import __version__
from webhook.core.policy import read_policy
from webhook.core.scanreading import read_scan
from webhook.core.verdict import build_index
from webhook.kubelist import BrokenList, ListReader
from webhook.scanner.layers.cacheformat import NoEntry, decode, encode
from webhook.scanner.layers.contents import HomeEntry, LayerContents, Script
from webhook.scanner.layers.merging import Merge
from webhook.stores.auditfilter import all_of, image, newest, requirement, since
from webhook.stores.auditlog import Entry, Unreadable, read_log, read_stream
from webhook.stores.auditsummary import summarise
from webhook.stores.clusterpolicy import ClusterPolicy
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.namespacemodes import NamespaceModes
from webhook.stores.snapshotcache import SnapshotCache
from webhook.stores.snapshotformat import Kept, NotUsable, checksum, read, write

DIGEST = "sha256:" + "a" * 64
_STAMP = b"\n%%\n"


def check_snapshot(data: bytes) -> None:
    """A snapshot is read, and is the same when written again, or is passed over; its age is a number or not known.

    What stands behind a line of `%%` is the small file beside it. The checksum is made right, which mutation cannot.
    """
    lines, _, stamp = data.partition(_STAMP)
    whole = lines + hashlib.sha256(lines).hexdigest().encode() + b"\n"
    with suppress(NotUsable):
        read(lines, __version__)
    with suppress(NotUsable):
        found = read(whole, __version__)
        if found.policy is not None:
            again = read(b"".join(write(found, __version__)), __version__)
            assert again.policy == found.policy
    with fresh_folder() as folder:
        (folder / "last").write_bytes(whole)
        named = stamp.replace(b"@snapshot@", checksum(whole).encode())
        (folder / "heard").write_bytes(named)
        _load(folder)


def _load(folder: Path) -> None:
    said: list[str] = []
    kube = KubeDouble()
    scans = ClusterScans(kube, report=said.append)
    policy, modes = (
        ClusterPolicy(kube, report=said.append),
        NamespaceModes(kube, report=said.append),
    )
    cache = SnapshotCache(
        folder,
        scans=scans,
        policy=policy,
        modes=modes,
        clock=lambda: 50.0,
        wall=lambda: 1000.0,
        report=said.append,
    )
    cache.load()
    for line in said:
        one_line(line)
    for source in (scans, policy, modes):
        # From the future, or of no age that could be told: neither may ever be.
        assert source.heard_at is None or source.heard_at <= 50.0


def check_layer_cache(data: bytes) -> None:
    """What was kept of a layer is read, can be used, and is the same when written again; or it is no entry."""
    with suppress(NoEntry):
        found = decode(DIGEST, data)
        assert decode(DIGEST, encode(DIGEST, found)) == found
        merge = Merge()
        merge.add(found)
        merge.add(found)
        merge.files(complete=True)


def check_audit_log(data: bytes) -> None:
    """Every line is an entry of printable text, or is told to be none; entries can be searched and summed up."""
    found = list(read_stream(io.BytesIO(data), "log"))
    lines = [line for line in data.split(b"\n") if line and not line.isspace()]
    assert len(found) == len(lines), (found, lines)
    entries = [one for one in found if isinstance(one, Entry)]
    for one in found:
        if isinstance(one, Unreadable):
            one_line(str(one))
    for entry in entries:
        for text in (entry.user, entry.namespace, entry.notebook, entry.image, entry.canonical):
            assert text == "" or text.isprintable()
        assert orjson.dumps(entry.record).decode().isprintable()
    wanted = all_of([since(0), requirement(["uid-1000"]), image("ghcr.io/**")])
    assert len(newest(entries, 3)) <= 3
    assert all(entry.time >= 0 for entry in filter(wanted, entries))
    for summary in summarise(entries):
        assert summary.count >= 1


def check_audit_file(data: bytes) -> None:
    """A log on disk is read to its end, compressed or not, broken or not."""
    with fresh_folder() as folder:
        path = folder / "audit.jsonl"
        path.write_bytes(data)
        for one in read_log(path):
            assert isinstance(one, Entry | Unreadable)


def check_list(data: bytes) -> None:
    """The same objects come whatever the pieces, and those that a parser of the whole finds; or it is no list."""
    outcomes = [_objects(data, size) for size in (len(data) or 1, 7, 64)]
    assert outcomes[0] == outcomes[1] == outcomes[2], outcomes
    if outcomes[0] is None:
        return
    try:
        whole = orjson.loads(data)
    except orjson.JSONDecodeError:
        return
    if isinstance(whole.get("items"), list) and data.count(b"items") == 1:
        assert outcomes[0] == whole["items"]


def _objects(data: bytes, size: int) -> list[object] | None:
    reader, found = ListReader(), list[object]()
    try:
        for start in range(0, len(data), size):
            found += reader.feed(data[start : start + size])
    except BrokenList:
        return None
    return found if reader.done else None


def _snapshots() -> list[bytes]:
    failing = {"verdict": "Violates", "checks": [{"requirement": "uid-1000", "result": "Fail"}]}
    documents = [scan_document(), scan_document("registry.example.com/team/other:v1", **failing)]
    kept = Kept(
        scans=build_index(map(read_scan, documents)),
        policy=read_policy(policy_document(unscanned="Warn", pod={"runAsUser": None})),
        modes={"a": "warn"},
        heard={"scans": 1.5, "policy": 2.5, "modes": 3.5},
    )
    lines = b"".join(list(write(kept, __version__))[:-1])
    return [lines + _STAMP + b'{"snapshot":"@snapshot@","heard":{"scans":9.5,"policy":9}}', lines]


def _layers() -> list[bytes]:
    contents = LayerContents(
        diff_id=DIGEST,
        passwd=b"jovyan:x:1000:100::/home/jovyan:/bin/sh\n",
        scripts={"init": Script(path="init", mentions=frozenset({"8888", "NB_PREFIX"}))},
        home={"work": HomeEntry(files=1, size=3)},
        home_files=("home/jovyan/work/a",),
        home_sizes=(3,),
        hidden=frozenset({"etc/passwd", "opt/"}),
    )
    return [encode(DIGEST, contents), encode(DIGEST, LayerContents())]


def _logs() -> list[bytes]:
    records = [a_record(), a_record(decision="warned", suppressed=3, violations=violating("stale"))]
    return [b"".join(orjson.dumps(one) + b"\n" for one in records)]


def _lists() -> list[bytes]:
    items = [{"a": 1.5e3, "b": "]}é"}, {"c": [{}, None, "\\"]}]
    whole = {"kind": "List", "metadata": {"resourceVersion": "7"}, "items": items}
    return [orjson.dumps(whole), orjson.dumps(whole, option=orjson.OPT_INDENT_2)]


TARGETS = (
    Target(
        name="snapshot",
        check=check_snapshot,
        seeds=_snapshots,
        words=(b'"nan"', b'"rows":', b'"heard":'),
    ),
    Target(
        name="layer-cache", check=check_layer_cache, seeds=_layers, words=(b"home/jovyan/", b"-1")
    ),
    Target(
        name="audit-log",
        check=check_audit_log,
        seeds=_logs,
        words=(b"\\u202e", b"\r\n", b'"time":"0001-01-01T00:00:00Z"', b'"suppressed":'),
    ),
    Target(
        name="audit-file",
        check=check_audit_file,
        seeds=lambda: [*_logs(), *(gzip.compress(log, mtime=0) for log in _logs())],
        words=(b"\x1f\x8b\x08",),
    ),
    Target(
        name="kube-list",
        check=check_list,
        seeds=_lists,
        words=(
            b'{"items":[',
            b'"metadata":{',
            b"1e999",
            b"NaN",
            b"-Infinity",
            b"\\ud800",
            b"9" * 4400,
        ),
    ),
)
