"""A whole scan: where the image comes from, what is written down, what may be saved."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.scanner.shelf import Shelf, failures, scan, unknown
from webhook import __version__
from webhook.core.document import parse_time
from webhook.core.scan import compact, read_scan_document, scan_name
from webhook.scanner.errors import Unreachable
from webhook.scanner.layers.cache import LayerCache
from webhook.scanner.probes.podman import PodmanProbe
from webhook.scanner.scanning import NO_PROBE, ScanSettings

SERVED = {"port-8888", "nb-prefix", "allow-origin", "empty-home"}
AMD64 = ScanSettings(platforms=("linux/amd64",))


@pytest.fixture(scope="module")
def archive(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image as `docker save` would write it."""
    file = tmp_path_factory.mktemp("archive") / "saved.tar"
    subprocess.run(
        [
            *("skopeo", "--insecure-policy", "copy", "--quiet"),
            f"oci:{shelf.layouts['conforming']}:latest",
            f"docker-archive:{file}:registry.example.com/team/saved:v2",
        ],
        check=True,
        timeout=60,
    )
    return file


def test_without_a_probe_what_only_a_start_can_tell_is_unknown(shelf: Shelf) -> None:
    status = shelf.scan("conforming").document.status
    assert (status.phase, status.verdict, status.serving) == ("Complete", "Unknown", "Unknown")
    assert unknown(status) == SERVED
    unstarted = [c.message for c in status.checks if c.result == "Unknown"]
    assert all(message.startswith(NO_PROBE) for message in unstarted)


def test_the_document_tells_what_was_scanned_when_and_by_whom(shelf: Shelf) -> None:
    reference = shelf.reference("conforming")
    document = scan(reference, AMD64, at=1_700_000_000).document
    assert document.metadata.name == scan_name(reference)
    assert document.spec.image == reference
    assert document.status.scanner == f"nbgate/{__version__}"
    assert parse_time(document.status.scanned_at or "") == 1_700_000_000
    assert parse_time(document.status.resolved_at or "") == 1_700_000_000


def test_a_layout_is_scanned_as_what_the_registry_would_serve(shelf: Shelf) -> None:
    name, alias = f"oci:{shelf.layouts['conforming']}:latest", shelf.reference("conforming")
    by_layout = scan(name, AMD64, alias=alias, at=1)
    by_registry = scan(alias, AMD64, at=1)
    assert by_layout.document == by_registry.document
    assert by_layout.savable is None


def test_what_a_layout_calls_itself_is_not_believed(shelf: Shelf) -> None:
    scanned = scan(f"oci:{shelf.layouts['conforming']}:latest", AMD64)
    assert scanned.savable is not None
    assert "--as" in scanned.savable
    assert scanned.document.status.digest is None
    assert compact(scanned.document).digest is None


def test_an_archive_is_judged_but_has_no_digest_that_a_pod_could_name(archive: Path) -> None:
    scanned = scan(f"docker-archive:{archive}", AMD64)
    document = scanned.document
    assert document.spec.image == "registry.example.com/team/saved:v2"
    assert (document.status.phase, document.status.digest) == ("Failed", None)
    assert document.status.manifests == ()
    assert unknown(document.status) == SERVED
    assert scanned.savable is not None
    assert "push the image" in scanned.savable
    content = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert read_scan_document(content) == document


def test_a_layout_and_an_archive_can_be_started(
    shelf: Shelf, podman: PodmanProbe, archive: Path
) -> None:
    settings = ScanSettings(platforms=("linux/amd64",), probe=podman, start_timeout=20)
    for name in (f"oci:{shelf.layouts['conforming']}:latest", f"docker-archive:{archive}"):
        status = scan(name, settings).document.status
        assert (status.verdict, failures(status)) == ("Conforms", {})


def test_a_platform_that_cannot_be_started_here_leaves_the_verdict_open(
    shelf: Shelf, podman: PodmanProbe
) -> None:
    settings = ScanSettings(probe=podman, start_timeout=20)
    status = scan(shelf.reference("two-platforms"), settings).document.status
    assert (status.verdict, status.serving) == ("Unknown", "Prefix"), status.checks
    for open_check in (c for c in status.checks if c.result == "Unknown"):
        assert open_check.message.startswith(
            "linux/arm64: it cannot be started here, on linux/amd64"
        )
        assert "--platform linux/amd64" in open_check.message


def test_layers_that_are_known_are_not_fetched_again(shelf: Shelf, tmp_path: Path) -> None:
    settings = ScanSettings(platforms=("linux/amd64",), cache=LayerCache(tmp_path / "layers"))
    first = scan(shelf.reference("jupyter-scipy"), settings, at=1)

    def blobs() -> list[str]:
        return [path for _, path, _, _ in shelf.registry.requests() if "/blobs/" in path]

    before = len(blobs())
    again = scan(shelf.reference("jupyter-scipy"), settings, at=1)
    assert again.document == first.document
    # its config, which is no layer
    assert len(blobs()) == before + 1


def test_a_scan_that_takes_too_long_ends_and_says_so(shelf: Shelf) -> None:
    with pytest.raises(Unreachable, match="longer than 0 minutes"):
        scan(shelf.reference("conforming"), ScanSettings(longest=0))
