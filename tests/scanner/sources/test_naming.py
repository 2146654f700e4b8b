from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.reference import InvalidReference, Reference
from webhook.scanner.sources.naming import ArchiveName, LayoutName, parse_name

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "folder", "reference"),
    [
        ("oci:images", "images", None),
        ("oci:/srv/images:v1", "/srv/images", "v1"),
        ("oci:./images:localhost/team/notebook:v1", "images", "localhost/team/notebook:v1"),
        (f"oci:images:@{DIGEST}", "images", f"@{DIGEST}"),
        ("oci:images:Any Word", "images", "Any Word"),
    ],
)
def test_a_layout_is_a_folder_and_what_follows_the_first_colon(
    text: str, folder: str, reference: str | None
) -> None:
    assert parse_name(text) == LayoutName(text=text, folder=Path(folder), reference=reference)


@pytest.mark.parametrize(
    ("text", "file", "reference"),
    [
        ("docker-archive:a.tar", "a.tar", None),
        ("docker-archive:/srv/a.tar:nginx", "/srv/a.tar", "nginx"),
        ("docker-archive:a.tar:ghcr.io/x/y:v1", "a.tar", "ghcr.io/x/y:v1"),
        ("docker-archive:a.tar:@0", "a.tar", "@0"),
    ],
)
def test_an_archive_is_a_file_and_what_follows_the_first_colon(
    text: str, file: str, reference: str | None
) -> None:
    assert parse_name(text) == ArchiveName(text=text, file=Path(file), reference=reference)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("localhost:5000/oci:v1", "localhost:5000/oci:v1"),
        ("ghcr.io/x/docker-archive:v1", "ghcr.io/x/docker-archive:v1"),
        ("ocis:v1", "docker.io/library/ocis:v1"),
        (f"x@{DIGEST}", f"docker.io/library/x@{DIGEST}"),
    ],
)
def test_everything_else_is_an_image_reference(text: str, canonical: str) -> None:
    name = parse_name(text)
    assert isinstance(name, Reference)
    assert name.canonical == canonical


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("docker://nginx", "leave out 'docker://'"),
        ("https://ghcr.io/x/y", "leave out 'https://'"),
        ("oci://ghcr.io/x/y", "leave out 'oci://'"),
        ("oci-archive:x.tar", "unpack it with tar -xf and name the folder, oci:DIR"),
        ("dir:x", "skopeo copy dir:DIR oci:OTHER"),
        ("docker-daemon:x:v1", "docker save -o FILE"),
        ("containers-storage:x", "podman save -o FILE"),
        ("oci:", "write oci:DIR"),
        ("oci::v1", "write oci:DIR"),
        ("oci:images:", "write oci:DIR:NAME"),
        ("oci:images:@sha256:1", "exactly 64 lower-case hex digits"),
        ("oci:images:a\nb", "names in a layout are printable"),
        ("oci:images:" + "a" * 1025, "at most 1024 characters"),
        ("oci:a\x00b", "the path has control characters"),
        ("oci:" + "a" * 4097, "more than 4096 characters"),
        ("docker-archive:", "write docker-archive:FILE"),
        ("docker-archive:a.tar:", "write docker-archive:FILE:NAME"),
        ("docker-archive:a.tar:@x", "or @0 for the first"),
        ("docker-archive:a.tar:@" + "9" * 5000, "or @0 for the first"),
        ("docker-archive:a.tar:Nginx", "repository names are lower-case"),
        ("./image.tar", "write oci:DIR for a layout, docker-archive:FILE for a file"),
        ("/srv/images", "write oci:DIR"),
        ("", "it is empty: name an image"),
        ("Nginx", "repository names are lower-case"),
    ],
)
def test_what_is_no_name_is_refused_with_the_cure(text: str, cure: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_name(text)
    assert cure in str(caught.value)


@given(
    st.builds(
        str.__add__,
        st.sampled_from(["", "oci:", "docker-archive:", "docker://", "dir:", "oci:x:", "oci:x:@"]),
        st.text(max_size=50),
    )
)
def test_any_text_is_a_name_or_refused_in_one_printable_line(text: str) -> None:
    try:
        parse_name(text)
    except InvalidReference as error:
        message = str(error)
    else:
        message = ""
    assert message.isprintable()
