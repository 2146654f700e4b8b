import tracemalloc
from typing import Any

import orjson
import pytest

from tests.scanner.memory import (
    Json,
    MemorySource,
    as_json,
    child_json,
    descriptor_of,
    digest_of,
    image_of,
    index_of,
    manifest_of,
    source_of,
)
from webhook.scanner.errors import BadContent, NotFound, Unreachable
from webhook.scanner.image import Image
from webhook.scanner.mediatypes import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST
from webhook.scanner.platforms import InvalidPlatform
from webhook.scanner.resolving import load_image

AMD = image_of({"User": "1000"}, b"base", b"top")
ARM = image_of({"User": "jovyan"}, b"arm", platform="linux/arm64/v8")
PPC = image_of({}, b"ppc", platform="linux/ppc64le")
WINDOWS = image_of({}, b"win", platform="windows/amd64")
EVIL = image_of({"User": "0"}, b"evil")
ATTESTATION = image_of({}, b"statement", platform="unknown/unknown")
CHART = b"a chart, and no JSON"
HELM = manifest_of(
    CHART, config=as_json(descriptor_of(CHART, "application/vnd.cncf.helm.config.v1+json"))
)


def _index(*children: Json, sources: tuple[MemorySource, ...] = ()) -> MemorySource:
    """An index whose children are written by hand."""
    store = {digest: blob for source in sources for digest, blob in source.store.items()}
    document = {"schemaVersion": 2, "manifests": list(children)}
    return source_of(document, OCI_INDEX, store)


def _bare(source: MemorySource, **more: Any) -> Json:
    return as_json(source.descriptor, **more)


def _users(image: Image) -> dict[str, str]:
    return {one.platform: one.config.user for one in image.platforms}


def test_a_single_manifest_is_its_only_platform() -> None:
    image = load_image(AMD, None)
    assert image.digest == AMD.descriptor.digest
    assert image.manifests == (("linux/amd64", AMD.descriptor.digest),)
    (one,) = image.platforms
    assert (one.platform, one.digest) == ("linux/amd64", AMD.descriptor.digest)
    assert [layer.digest for layer in one.layers] == [digest_of(b"base"), digest_of(b"top")]
    assert one.compressed_size == len(b"base" + b"top")
    assert one.config.user == "1000"


def test_of_an_index_amd64_and_arm64_are_loaded_and_all_platforms_listed() -> None:
    source = index_of(PPC, ARM, AMD)
    image = load_image(source, None)
    assert image.digest == source.descriptor.digest
    assert _users(image) == {"linux/amd64": "1000", "linux/arm64": "jovyan"}
    assert image.manifests == (
        ("linux/ppc64le", PPC.descriptor.digest),
        ("linux/arm64", ARM.descriptor.digest),
        ("linux/amd64", AMD.descriptor.digest),
    )


def test_a_docker_list_is_followed_as_an_index() -> None:
    store = {**AMD.store, **ARM.store}
    children = [child_json(AMD), child_json(ARM)]
    listed = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": children}
    assert len(load_image(source_of(listed, DOCKER_LIST, store), None).platforms) == 2


def test_nothing_is_fetched_of_platforms_that_nobody_asked_for() -> None:
    source = index_of(PPC, AMD)
    load_image(source, None)
    config = orjson.loads(AMD.store[AMD.descriptor.digest])["config"]["digest"]
    assert source.fetched == [source.descriptor.digest, AMD.descriptor.digest, config]


def test_one_of_the_default_platforms_is_enough() -> None:
    assert _users(load_image(index_of(PPC, ARM), None)) == {"linux/arm64": "jovyan"}


@pytest.mark.parametrize("source", [PPC, index_of(PPC), index_of(PPC, WINDOWS)])
def test_without_a_default_platform_those_that_are_there_are_listed(source: MemorySource) -> None:
    with pytest.raises(BadContent, match=r"is built for linux/ppc64le, neither .* --platform"):
        load_image(source, None)
    assert [one.platform for one in load_image(source, ("linux/ppc64le",)).platforms] == [
        "linux/ppc64le"
    ]


def test_asked_platforms_are_loaded_in_their_order_each_once() -> None:
    asked = ("linux/aarch64", "linux/ppc64le", "linux/arm64/v8")
    image = load_image(index_of(AMD, PPC, ARM), asked)
    assert [one.platform for one in image.platforms] == ["linux/arm64", "linux/ppc64le"]


def test_a_missing_asked_platform_is_an_error_though_another_is_there() -> None:
    with pytest.raises(BadContent, match=r"linux/amd64, linux/arm64, not for linux/s390x: build"):
        load_image(index_of(AMD, ARM), ("linux/amd64", "linux/s390x"))
    with pytest.raises(BadContent, match=r"is built for linux/amd64, not for linux/arm64"):
        load_image(AMD, ("linux/arm64",))


def test_an_asked_platform_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidPlatform):
        load_image(AMD, ("amd64",))


def test_amd64_is_never_one_of_its_higher_versions() -> None:
    newer = image_of({"User": "v3"}, b"v3", platform="linux/amd64/v3")
    assert _users(load_image(index_of(newer, AMD), None)) == {"linux/amd64": "1000"}
    with pytest.raises(BadContent, match="is built for linux/amd64/v3, neither"):
        load_image(index_of(newer), None)
    assert _users(load_image(index_of(newer), ("linux/amd64/v3",))) == {"linux/amd64/v3": "v3"}


def test_images_for_windows_are_ignored() -> None:
    image = load_image(index_of(WINDOWS, AMD), None)
    assert [platform for platform, _ in image.manifests] == ["linux/amd64"]
    with pytest.raises(BadContent, match="is built for windows/amd64, and notebooks run on Linux"):
        load_image(WINDOWS, None)
    with pytest.raises(BadContent, match="is built for windows/amd64, and notebooks run on Linux"):
        load_image(index_of(WINDOWS), ("windows/amd64",))


def test_attestations_are_left_out_unread() -> None:
    note = {"vnd.docker.reference.type": "attestation-manifest"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    gone = {"mediaType": OCI_MANIFEST, "digest": digest_of(b"gone"), "size": 4}
    source = _index(
        {**gone, "platform": unknown, "annotations": note}, child_json(AMD), sources=(AMD,)
    )
    assert len(load_image(source, None).manifests) == 1


def test_an_attestation_that_only_its_config_tells_is_left_out() -> None:
    source = _index(_bare(ATTESTATION), child_json(AMD), sources=(ATTESTATION, AMD))
    assert len(load_image(source, None).manifests) == 1


def test_an_annotation_hides_no_image_that_a_node_would_run() -> None:
    note = {"vnd.docker.reference.type": "attestation-manifest"}
    hidden = {**child_json(EVIL), "annotations": note}
    source = _index(hidden, child_json(ARM), sources=(EVIL, ARM))
    assert _users(load_image(source, ("linux/amd64",))) == {"linux/amd64": "0"}


def test_an_index_of_nothing_but_attestations_is_no_image() -> None:
    for source in (index_of(ATTESTATION), ATTESTATION, _index()):
        with pytest.raises(BadContent, match="holds no image that states its platform: build"):
            load_image(source, None)


def test_a_child_without_a_platform_has_that_of_its_config() -> None:
    source = _index(_bare(ARM), _bare(AMD), sources=(AMD, ARM))
    assert _users(load_image(source, None)) == {"linux/amd64": "1000", "linux/arm64": "jovyan"}


def test_artifacts_without_a_platform_are_left_out() -> None:
    other = {"mediaType": "application/x-anything", "digest": digest_of(b"x"), "size": 1}
    source = _index(_bare(HELM), other, child_json(AMD), sources=(HELM, AMD))
    assert len(load_image(source, None).manifests) == 1


def test_two_images_for_an_asked_platform_are_refused_for_runtimes_differ() -> None:
    note = {"io.github.containers.compression.zstd": "true"}  # by which CRI-O takes the second
    twice = _index(child_json(AMD), {**child_json(EVIL), "annotations": note}, sources=(AMD, EVIL))
    for source in (twice, index_of(EVIL, AMD), index_of(index_of(AMD), EVIL)):
        with pytest.raises(
            BadContent, match=r"holds two images for linux/amd64, sha256:.* and sha"
        ):
            load_image(source, None)
    image = load_image(index_of(AMD, AMD, PPC, image_of({}, b"p2", platform="linux/ppc64le")), None)
    assert _users(image) == {"linux/amd64": "1000"}


def test_an_image_that_states_its_platform_goes_before_one_whose_config_tells_it() -> None:
    source = _index(_bare(AMD), child_json(EVIL), sources=(AMD, EVIL))
    assert _users(load_image(source, None)) == {"linux/amd64": "0"}


def test_an_index_cannot_show_an_image_as_another_platforms() -> None:
    """Else one that was found to violate could be shown again as one that is not started here, and so left open."""
    mislabelled = {**_bare(ARM), "platform": {"os": "linux", "architecture": "amd64"}}
    with pytest.raises(BadContent, match=r"for linux/amd64 by its index and for linux/arm64 by"):
        load_image(_index(mislabelled, sources=(ARM,)), None)


def test_indexes_are_followed_to_the_third_and_no_deeper() -> None:
    three = index_of(PPC, index_of(ARM, index_of(AMD)))
    image = load_image(three, None)
    assert [platform for platform, _ in image.manifests] == [
        "linux/ppc64le",
        "linux/arm64",
        "linux/amd64",
    ]
    with pytest.raises(BadContent, match=r"lies deeper than 3 indexes: push one"):
        load_image(index_of(three), None)


def test_an_index_within_that_states_a_platform_is_refused() -> None:
    inner = index_of(AMD)
    stated = _bare(inner, platform={"os": "linux", "architecture": "arm64"})
    with pytest.raises(BadContent, match=r"states the platform linux/arm64 for all its images"):
        load_image(_index(stated, sources=(inner,)), None)


def test_no_more_than_64_images_are_looked_at() -> None:
    many = [image_of({}, b"x", platform=f"linux/amd64/v{n}") for n in range(2, 66)]
    assert len(load_image(index_of(*many), ("linux/amd64/v2",)).manifests) == 64
    with pytest.raises(BadContent, match="one more than the 64 images"):
        load_image(index_of(*many, AMD), None)


def test_no_more_than_64_indexes_are_fetched() -> None:
    empty = index_of()
    enough = _index(*[_bare(empty)] * 63, child_json(AMD), sources=(empty, AMD))
    assert _users(load_image(enough, None)) == {"linux/amd64": "1000"}
    with pytest.raises(BadContent, match="one more than the 64 images"):
        load_image(_index(*[_bare(empty)] * 65, sources=(empty,)), None)


def test_attestations_do_not_count_as_images_but_as_entries() -> None:
    source = index_of(*[ATTESTATION] * 999, AMD)
    assert len(load_image(source, None).manifests) == 1
    inner = index_of(*[ATTESTATION] * 500)
    with pytest.raises(BadContent, match="more than 1000 entries"):
        load_image(index_of(AMD, inner, index_of(*[ATTESTATION] * 500)), None)


def test_a_long_list_of_platforms_is_cut_in_the_message() -> None:
    many = [image_of({}, b"x", platform=f"linux/cpu{n}") for n in range(30)]
    with pytest.raises(BadContent, match=r"linux/cpu19 and 10 more, neither"):
        load_image(index_of(*many), None)


def test_an_artifact_is_no_container_image_and_says_what_it_is() -> None:
    with pytest.raises(
        BadContent, match=r"is no container image but 'application/vnd\.cncf\.helm\..*: name an"
    ):
        load_image(HELM, None)
    stated = {**_bare(HELM), "platform": {"os": "linux", "architecture": "amd64"}}
    with pytest.raises(BadContent, match="is no container image but"):
        load_image(_index(stated, sources=(HELM,)), None)


def test_a_document_of_another_type_is_named() -> None:
    old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    with pytest.raises(BadContent, match=r"is of Docker's schema 1, .* build it anew"):
        load_image(source_of({}, old, {}), None)
    with pytest.raises(BadContent, match="is of type 'text/html', neither an image nor an index"):
        load_image(source_of({}, "text/html", {}), None)
    stated = {
        "mediaType": old,
        "digest": digest_of(b"{}"),
        "size": 2,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    source = _index(stated)
    with pytest.raises(BadContent, match="is of Docker's schema 1"):
        load_image(source, None)
    assert source.fetched == [source.descriptor.digest]


def test_layers_that_cannot_be_read_matter_only_where_they_are_asked_for() -> None:
    layer = {"mediaType": "application/x.encrypted", "digest": digest_of(b"z"), "size": 1}
    config = orjson.dumps({"os": "linux", "architecture": "s390x"})
    odd = manifest_of(config, layers=[layer])
    assert _users(load_image(index_of(odd, AMD), None)) == {"linux/amd64": "1000"}
    with pytest.raises(BadContent, match=r"layers\[0\]: layer type 'application/x\.encrypted'"):
        load_image(index_of(odd, AMD), ("linux/s390x",))


def test_what_the_source_says_of_its_faults_is_passed_on() -> None:
    source = index_of(AMD)
    config = orjson.loads(AMD.store[AMD.descriptor.digest])["config"]["digest"]
    source.store[config] = source.store[config].replace(b"1000", b"1001")
    with pytest.raises(BadContent, match="holds other bytes"):
        load_image(source, None)
    source.failures[config] = Unreachable("the registry stalls")
    with pytest.raises(Unreachable, match="stalls"):
        load_image(source, None)
    del source.store[AMD.descriptor.digest]
    with pytest.raises(NotFound):
        load_image(source, None)


def test_configs_that_tell_platforms_do_not_pile_up() -> None:
    label = {"Labels": {"x": "\U0001f600" + "x" * 1_000_000}}  # four bytes a character in memory
    many = [image_of(label, b"x", platform=f"linux/cpu{n}") for n in range(20)]
    source = _index(*(_bare(one) for one in [*many, AMD]), sources=(*many, AMD))
    tracemalloc.start()
    try:
        (one,) = load_image(source, None).platforms
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert one.platform == "linux/amd64"
    assert most < 30 << 20
