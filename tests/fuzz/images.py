"""Images from strangers: layers, layouts and archives, read as `nbgate scan` reads them, without starting anything."""

from tests.fuzz.folders import fresh_folder
from tests.fuzz.parts import joined, parts_of
from tests.fuzz.target import Target, one_line
from tests.fuzz.tarlines import tar_of_lines, with_checksums
from tests.scanner.layers.tars import END, header, padded
from tests.scanner.memory import digest_of
from webhook.core.scan import read_scan_document
from webhook.core.scanreading import read_scan
from webhook.scanner.checks.imageuser import image_user, passwd_lines
from webhook.scanner.checks.seen import Seen
from webhook.scanner.errors import BadContent, ScanError
from webhook.scanner.image import ImageConfig
from webhook.scanner.judging import CHECKS
from webhook.scanner.layers.cacheformat import decode, encode
from webhook.scanner.layers.contents import LayerContents
from webhook.scanner.layers.files import Files
from webhook.scanner.layers.merging import Merge
from webhook.scanner.layers.reading import read_layer
from webhook.scanner.mediatypes import Compression
from webhook.scanner.progress import Silent
from webhook.scanner.scanning import Scanned, ScanSettings, scan_image

DIGEST = "sha256:" + "a" * 64
_COMPRESSIONS: tuple[Compression, ...] = ("none", "gzip", "zstd")


def check_layer(data: bytes) -> None:
    """A layer is read the same whatever the pieces it comes in, and can be kept and merged; or it is bad content."""
    layer = parts_of(data)[0].data
    for compression in _COMPRESSIONS:
        whole, small = (_read(layer, size, compression) for size in (len(layer) or 1, 509))
        assert whole == small
        if isinstance(whole, LayerContents):
            assert decode(DIGEST, encode(DIGEST, whole)) == whole
            assert not any("\0" in p for p in (*whole.scripts, *whole.home_files, *whole.hidden))
            merge = Merge()
            merge.add(whole)
            merge.add(whole)
            merge.files(complete=True)


def _read(layer: bytes, size: int, compression: Compression) -> LayerContents | str:
    pieces = (layer[start : start + size] for start in range(0, len(layer), size))
    try:
        return read_layer(pieces, compression, "layer x")
    except BadContent as error:
        one_line(str(error))
        # where a compressed stream breaks is told by how much of it there was
        return "" if compression != "none" else str(error).partition("near byte")[0]


def check_layout(data: bytes) -> None:
    """An image in a folder: part 0 is oci-layout, part 1 index.json, the others blobs."""
    parts = parts_of(data)
    with fresh_folder() as folder:
        blobs = folder / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for part, name in zip(parts, ("oci-layout", "index.json"), strict=False):
            (folder / name).write_bytes(part.data)
        for part in parts[2:]:
            (blobs / digest_of(part.data).removeprefix("sha256:")).write_bytes(part.data)
        _scan(f"oci:{folder}")


def check_archive(data: bytes) -> None:
    """What docker save might have written; the headers have right checksums, so that more than those is tried."""
    with fresh_folder() as folder:
        path = folder / "saved.tar"
        for content in (data, with_checksums(data)):
            path.write_bytes(content)
            _scan(f"docker-archive:{path}")


def _scan(name: str) -> None:
    try:
        scanned = scan_image(
            name, ScanSettings(), alias="x/y:1", now=lambda: 1767312000.0, progress=Silent()
        )
    except ScanError as error:
        one_line(str(error), 3000)
        return
    check_scanned(scanned)


def check_scanned(scanned: Scanned) -> None:
    """Assert that a result is one that admission reads, and that all it says fits a line."""
    written = scanned.document.model_dump(mode="json", by_alias=True, exclude_none=True)
    read_scan_document(written)
    read_scan(written)
    for check in scanned.document.status.checks:
        assert check.message == "" or check.message.isprintable()
        assert len(check.message) <= 300
    for note in scanned.notes:
        one_line(note)


def check_passwd(data: bytes) -> None:
    """Any bytes are a passwd: a user is found in it or not, and the checks say so in one line."""
    first, _, passwd = data.partition(b"\n")
    user = first.decode("utf-8", "replace")
    for name, uid, _ in passwd_lines(passwd):
        assert isinstance(uid, int)
        assert "\n" not in name
    files = Files(complete=True, passwd_known=True, passwd=passwd)
    seen = Seen(config=ImageConfig(platform="linux/amd64", user=user), files=files, unprobed="no")
    found = image_user(seen)
    assert found.written == user.partition(":")[0]
    for check in CHECKS:
        one_line(check(seen).message, 300)


def image_of_lines(*layers: bytes, user: bytes = b"1000", first: int = 2) -> tuple[bytes, ...]:
    """Write an image's manifest, config and layers as parts, of which the manifest is the one numbered `first`."""
    kinds = [
        b"+gzip" if b"+gzip" in one[:12] else b"+zstd" if b"+zstd" in one[:12] else b""
        for one in layers
    ]
    places = range(first + 2, first + 2 + len(layers))
    listed = b",".join(
        b'{"mediaType":"application/vnd.oci.image.layer.v1.tar%s","digest":"@d%d@","size":@s%d@}'
        % (kind, place, place)
        for kind, place in zip(kinds, places, strict=True)
    )
    manifest = (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        b'"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"@d%d@","size":@s%d@},'
        b'"layers":[%s]}' % (first + 1, first + 1, listed)
    )
    diffs = b",".join(b'"@u%d@"' % place for place in places)
    config = (
        b'{"os":"linux","architecture":"amd64","config":{"User":"%s","Env":["NB_PREFIX=/","CUDA_VERSION=12"],'
        b'"ExposedPorts":{"8888/tcp":{}},"Entrypoint":["/init"],"WorkingDir":"/home/jovyan"},'
        b'"rootfs":{"type":"layers","diff_ids":[%s]}}' % (user, diffs)
    )
    return (manifest, config, *layers)


LAYER = rb"""!tar+gzip
5 etc
0 etc/passwd root:x:0:0::/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/bash\n
0 init #!/bin/sh\nexec server --port 8888 $NB_PREFIX\n
5 home/jovyan
0 home/jovyan/.bashrc x
2 usr/bin/python python3
x path usr/local/bin/a-name-of-pax
0 short #!/bin/sh\ncp -r /tmp_home/jovyan /home/jovyan\n
0 opt/.wh.old
0 etc/services.d/.wh..wh..opq
"""
UPPER = rb"""!tar
1 etc/passwd- etc/passwd
L home/jovyan/work/a-long-name
0 x content
0 etc/.wh.shadow
"""
_TWO = image_of_lines(LAYER, UPPER, user=b"jovyan")


def _layouts() -> list[bytes]:
    version = b'{"imageLayoutVersion":"1.0.0"}'
    of_manifest = (
        b'{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        b'"digest":"@d2@","size":@s2@,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]}'
    )
    of_index = (
        b'{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json",'
        b'"digest":"@d2@","size":@s2@}]}'
    )
    index = (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":['
        b'{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"@d3@","size":@s3@,'
        b'"platform":{"os":"linux","architecture":"amd64"}}]}'
    )
    return [
        joined(version, of_manifest, *_TWO),
        joined(version, of_index, index, *image_of_lines(LAYER.replace(b"gzip", b"zstd"), first=3)),
    ]


def _archives() -> list[bytes]:
    return [_saved(_TWO[1], LAYER, UPPER)]


def _saved(config: bytes, *layers: bytes) -> bytes:
    """Write what docker save writes: the files under the names that manifest.json gives them."""
    parts = parts_of(joined(b"", b"", b"", config, *layers))
    names = [b"%d/layer.tar" % place for place in range(len(layers))]
    listed = b",".join(b'"%s"' % name for name in names)
    manifest = b'[{"Config":"c.json","RepoTags":["team/nb:v1"],"Layers":[%s]}]' % listed
    files = {b"c.json": parts[3].data, **dict(zip(names, (p.data for p in parts[4:]), strict=True))}
    return _tar({**files, b"manifest.json": manifest})


def _tar(files: dict[bytes, bytes]) -> bytes:
    return b"".join(header(n, size=len(d)) + padded(d) for n, d in files.items()) + END


def _raw_layers() -> list[bytes]:
    return [LAYER, UPPER, LAYER.replace(b"gzip", b"zstd"), b"!sum\n" + tar_of_lines(UPPER[5:])]


_TAR = (
    b".wh.",
    b".wh..wh..opq",
    b"etc/passwd",
    b"ustar  \0",
    b"ustar\x0000",
    b"GNU.sparse.",
    b"SCHILY.xattr.",
)
_JSON = (
    b'"@d3@"',
    b"@s4@",
    b'"@u4@"',
    b'"platform":{',
    b'"manifests":[',
    b'"layers":[',
    b'"User":"',
    b"/tcp",
)

TARGETS = (
    Target(
        name="layer",
        check=check_layer,
        seeds=_raw_layers,
        words=(*_TAR, b"\n1 ", b"\n2 ", b"\nx size "),
    ),
    Target(name="layout", check=check_layout, seeds=_layouts, words=(*_TAR, *_JSON)),
    Target(
        name="archive", check=check_archive, seeds=_archives, words=(*_TAR, b'"RepoTags":', b"../")
    ),
    Target(
        name="passwd",
        check=check_passwd,
        seeds=lambda: [
            b"jovyan\nroot:x:0:0::/root:\njovyan:x:1000:100::/home/jovyan:\n",
            b"1000:100\n::1000:::\n",
        ],
        words=(b":x:1000:", b"\x1c", b"\xc2\x85", b"+1000", b"\r\n"),
    ),
)
