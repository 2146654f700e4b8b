"""The parser of image references reads what container runtimes read, and explains the rest."""

import time
from contextlib import suppress
from dataclasses import FrozenInstanceError
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.core import reference as grammar
from webhook.core.reference import (
    MAX_DOMAIN,
    MAX_LENGTH,
    MAX_PATH,
    MAX_TAG,
    InvalidReference,
    Reference,
    parse,
    quoted,
)

SHA256 = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "fedcba9876543210" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8
HEX64 = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a"

# Generous: the worst of these takes some 0.1 ms, with an exponential expression it would be years.
BOUND_SECONDS = 0.005


def fault(text: str) -> str:
    with pytest.raises(InvalidReference) as caught:
        parse(text)
    return str(caught.value)


def seconds_to_judge(text: str) -> float:
    """The best of three, so that a busy machine does not count."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        with suppress(InvalidReference):
            parse(text)
        best = min(best, time.perf_counter() - start)
    return best


MEANINGS = [
    # text, domain, path, tag, digest
    ("nginx", "docker.io", "library/nginx", "latest", None),
    ("nginx:1.25", "docker.io", "library/nginx", "1.25", None),
    ("library/nginx", "docker.io", "library/nginx", "latest", None),
    ("docker.io/nginx", "docker.io", "library/nginx", "latest", None),
    ("index.docker.io/nginx", "docker.io", "library/nginx", "latest", None),
    ("registry-1.docker.io/nginx", "docker.io", "library/nginx", "latest", None),
    ("index.docker.io/library/nginx:1", "docker.io", "library/nginx", "1", None),
    ("library/foo/bar", "docker.io", "library/foo/bar", "latest", None),
    ("myreg/foo", "docker.io", "myreg/foo", "latest", None),
    ("my_reg/foo", "docker.io", "my_reg/foo", "latest", None),
    ("docker.io.evil.com/library/nginx", "docker.io.evil.com", "library/nginx", "latest", None),
    ("ghcr.io/foo", "ghcr.io", "foo", "latest", None),
    ("localhost/foo", "localhost", "foo", "latest", None),
    ("localhost:5000/foo", "localhost:5000", "foo", "latest", None),
    ("localhost:5000/a/b:c", "localhost:5000", "a/b", "c", None),
    ("test-com:8080/foo", "test-com:8080", "foo", "latest", None),
    ("docker.io:443/foo", "docker.io:443", "foo", "latest", None),
    ("reg.io:5000", "docker.io", "library/reg.io", "5000", None),
    ("192.168.0.1:80", "docker.io", "library/192.168.0.1", "80", None),
    ("ghcr.io", "docker.io", "library/ghcr.io", "latest", None),
    ("localhost", "docker.io", "library/localhost", "latest", None),
    ("127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b", "latest", None),
    ("[fc00::1]:5000/docker", "[fc00::1]:5000", "docker", "latest", None),
    ("[FC00:1:2:3:4:5:6:7]/a/b", "[FC00:1:2:3:4:5:6:7]", "a/b", "latest", None),
    ("DOCKER/docker", "DOCKER", "docker", "latest", None),
    ("Docker/docker", "Docker", "docker", "latest", None),
    ("GHCR.io/a/b", "GHCR.io", "a/b", "latest", None),
    ("xn--n3h.com:18080/foo", "xn--n3h.com:18080", "foo", "latest", None),
    (f"foo@{SHA256}", "docker.io", "library/foo", None, SHA256),
    (f"foo:tag@{SHA256}", "docker.io", "library/foo", "tag", SHA256),
    (f"reg.io:5000/a/b@{SHA512}", "reg.io:5000", "a/b", None, SHA512),
    (f"docker.io/{HEX64}", "docker.io", f"library/{HEX64}", "latest", None),
    (f"{HEX64}:v1", "docker.io", f"library/{HEX64}", "v1", None),
    (HEX64[:-1], "docker.io", f"library/{HEX64[:-1]}", "latest", None),
    ("sha256:v1", "docker.io", "library/sha256", "v1", None),
    ("a/b.c_d__e---f/0", "docker.io", "a/b.c_d__e---f/0", "latest", None),
    ("d/t:_", "docker.io", "d/t", "_", None),
    ("d/t:A.b-C_", "docker.io", "d/t", "A.b-C_", None),
]


@pytest.mark.parametrize(("text", "domain", "path", "tag", "digest"), MEANINGS)
def test_reads_what_container_runtimes_read(
    text: str, domain: str, path: str, tag: str | None, digest: str | None
) -> None:
    read = parse(text)
    assert (read.domain, read.path, read.tag, read.digest) == (domain, path, tag, digest)
    assert read.text == text


FAULTS = [
    # text, a part of what is said about it
    ("", "it is empty: name an image"),
    (" foo", "it has a blank in it: remove it from ' foo'"),
    ("foo ", "blank"),
    ("foo bar", "blank"),
    ("foo\n", r"it has a blank in it: remove it from 'foo\n'"),
    ("foo:v1\n", "blank"),
    (f"foo@{SHA256}\n", "blank"),
    ("foo\t", "blank"),
    ("foo\u00a0", "blank"),
    ("foo\x00", r"control or non-ASCII character in it: type it anew, 'foo\x00'"),
    ("n\u0430me", r"'n\u0430me'"),
    ("foo:\u0661", "non-ASCII"),
    ("foo\u200b", "non-ASCII"),
    (HEX64, "is an image id, no name: write NAME@sha256:DIGEST"),
    (SHA256, "is an image id"),
    (SHA512, "is an image id"),
    ("sha256:4f1c2d3e5a", "is an image id"),
    ("https://github.com/docker/docker", "is no URL: leave out 'https://'"),
    ("docker://nginx:1", "is no URL: leave out 'docker://'"),
    ("http://ghcr.io/x", "is no URL: leave out 'http://'"),
    ("oci://ghcr.io/x", "is no URL: leave out 'oci://'"),
    ("OCI://ghcr.io/x", "is no URL: leave out 'OCI://'"),
    ("Nginx", "repository names are lower-case: write 'nginx'"),
    ("docker/Docker", "repository names are lower-case: write 'docker/docker'"),
    ("docker.io/docker/Docker:V1", "lower-case"),
    ("ghcr.io/A", "lower-case: write 'a'"),
    ("My_Team/nb", "repository names are lower-case: write 'my_team'"),
    ("foo:", 'tag is empty after ":"'),
    ("foo:v1:", "'v1:' is no tag"),
    ("foo:a:b", "'a:b' is no tag"),
    ("foo:-a", "'-a' is no tag"),
    ("foo:.a", "'.a' is no tag"),
    ("foo:a+b", "'a+b' is no tag"),
    ("foo:{{tag}}", "'{{tag}}' is no tag"),
    ("foo:" + "a" * (MAX_TAG + 1), "tags have at most 128 characters, this one has 129"),
    ("foo@", 'digest is empty after "@"'),
    ("foo@v1", "'v1' is no digest"),
    (f"foo@{SHA256}@{SHA256}", "a sha256 digest has exactly 64 lower-case hex digits"),
    (f"foo@{SHA256[:-1]}", "a sha256 digest has exactly 64 lower-case hex digits"),
    (f"foo@{SHA256}0", "a sha256 digest has exactly 64 lower-case hex digits"),
    (f"foo@sha256:{'A' * 64}", "a sha256 digest has exactly 64 lower-case hex digits"),
    (f"foo@sha512:{'a' * 64}", "a sha512 digest has exactly 128 lower-case hex digits"),
    (f"foo@{SHA512}0", "a sha512 digest has exactly 128 lower-case hex digits"),
    (f"foo@sha384:{'a' * 96}", "digest algorithm 'sha384' cannot be pulled: use sha256 or sha512"),
    (f"foo@SHA256:{'a' * 64}", "digest algorithm 'SHA256' cannot be pulled"),
    (f"foo@md5:{'a' * 32}", "digest algorithm 'md5' cannot be pulled"),
    (f"@{SHA256}", "it has no repository name"),
    (":v1", "it has no repository name"),
    ("library/", "it has no repository name"),
    ("/foo", 'remove the extra "/"'),
    ("foo/", 'remove the extra "/"'),
    ("foo//bar", "remove the extra \"/\" from 'foo//bar'"),
    ("docker.io/docker///docker", 'remove the extra "/"'),
    ("ghcr.io/", "it names a registry only: add the repository, 'ghcr.io'/NAME"),
    ("ghcr.io//x", 'remove the extra "/"'),
    ("-docker", "'-docker' cannot be part of a repository name"),
    ("docker-", "'docker-' cannot be part"),
    ("_docker/_docker", "'_docker' cannot be part"),
    ("a/dock..er", "'dock..er' cannot be part"),
    ("a/dock_.er", "'dock_.er' cannot be part"),
    ("a/dock___er", "'dock___er' cannot be part"),
    ("<image>", "'<image>' cannot be part"),
    ("${IMAGE}", "lower-case"),
    ("[fc00::1]:5000", "is no tag"),
    ("[fc00::1]", "is no tag"),
    ("fc00::1:5000/debian", "'fc00::1:5000' is no registry"),
    ("[fe80::1%eth0]:5000/debian", "is no registry"),
    ("[2001:db8:3:4::192.0.2.33]:5000/debian", "is no registry"),
    ("-docker.io/docker", "'-docker.io' is no registry"),
    ("docker-.io/docker", "is no registry"),
    ("a..b/docker", "is no registry"),
    ("ghcr.io./docker", "is no registry"),
    (".ghcr.io/docker", "is no registry"),
    ("my_reg.io/docker", "'my_reg.io' is no registry"),
    ("reg.io:/docker", "is no registry"),
    ("reg.io:x/docker", "is no registry"),
    ("foo:v1/bar", "'foo:v1' is no registry"),
    ("a" * (MAX_PATH - len("library/") + 1), "at most 255 characters, this one has 256"),
    ("r.io/" + "a" * (MAX_PATH + 1), "at most 255 characters, this one has 256"),
    ("a." * 129 + "io/x", "registry names have at most 259 characters, this one has 260"),
    ("a" * 10_000, f"it is 10000 characters long, at most {MAX_LENGTH} are allowed: 'aaa"),
]


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_says_what_is_wrong_and_the_cure(text: str, said: str) -> None:
    assert said in fault(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty: name an image, such as registry.example.com/team/notebook:v1"),
        (
            "my_reg.io/x",
            (
                "'my_reg.io' is no registry: write HOST or HOST:PORT, "
                'the host in letters and digits with single "." and inner "-"'
            ),
        ),
        (":v1", "it has no repository name: write NAME:TAG or REGISTRY/NAME:TAG"),
        (
            "-x",
            (
                "'-x' cannot be part of a repository name: use a-z and 0-9, "
                'with ".", "_", "__" or "-" only between them'
            ),
        ),
        ("x:", 'tag is empty after ":": write one, such as ":v1", or leave out the ":"'),
        (
            "x:-",
            '\'-\' is no tag: use letters, digits, "_", "." and "-", the last two not at its start',
        ),
        (
            "x@",
            'digest is empty after "@": write "sha256:" and its hex digits, or leave out the "@"',
        ),
        ("x@1", "'1' is no digest: write sha256: and 64 hex digits"),
    ],
)
def test_the_cure_is_told_whole(text: str, said: str) -> None:
    assert fault(text) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "''"),
        ("a" * 80, f"'{'a' * 80}'"),
        ("a" * 81, f"'{'a' * 79}...'"),
        ("\n" * 40, "'" + r"\n" * 40 + "'"),
        ("\n" * 41, "'" + r"\n" * 39 + "\\...'"),
        ("it's" + "a" * 80, "\"it's" + "a" * 75 + '..."'),
    ],
)
def test_a_text_is_shown_whole_up_to_80_characters_and_always_between_quotes(
    text: str, shown: str
) -> None:
    assert quoted(text) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" * (MAX_LENGTH - 1) + " ", "it has a blank in it"),
        ("r.io/" + "a" * (MAX_PATH - 1) + "_", "cannot be part of a repository name"),
        ("x:-" + "a" * (MAX_TAG - 1), "is no tag"),
        ("-" + "a" * (MAX_DOMAIN - 4) + ".io/x", "is no registry"),
        ("ghcr.io/x:v1/y:v2", "'x:v1' cannot be part of a repository name"),
    ],
)
def test_what_is_not_too_long_is_not_said_to_be(text: str, said: str) -> None:
    assert said in fault(text)


def test_the_longest_reference_of_all_is_read() -> None:
    text = f"{'a' * 253}:65535/{'b' * MAX_PATH}:{'c' * MAX_TAG}@{SHA512}"
    assert len(text) == MAX_LENGTH
    assert parse(text).canonical == text


def test_the_implied_library_counts_in_the_length_of_a_path() -> None:
    assert len(parse("a" * 247).path) == MAX_PATH
    assert "at most 255" in fault("a" * 248)


@pytest.mark.parametrize(
    ("text", "repository", "tagged", "canonical"),
    [
        (
            "nginx",
            "docker.io/library/nginx",
            "docker.io/library/nginx:latest",
            "docker.io/library/nginx:latest",
        ),
        ("r.io/x:1", "r.io/x", "r.io/x:1", "r.io/x:1"),
        (f"r.io/x@{SHA256}", "r.io/x", None, f"r.io/x@{SHA256}"),
        (f"r.io/x:1@{SHA256}", "r.io/x", "r.io/x:1", f"r.io/x:1@{SHA256}"),
    ],
)
def test_the_names_that_things_are_looked_up_by(
    text: str, repository: str, tagged: str | None, canonical: str
) -> None:
    read = parse(text)
    assert (read.repository, read.tagged, read.canonical) == (repository, tagged, canonical)


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("nginx", f"nginx:latest@{SHA256}"),
        ("nginx:1.25", f"nginx:1.25@{SHA256}"),
        ("index.docker.io/nginx", f"index.docker.io/nginx:latest@{SHA256}"),
        ("localhost:5000/nb", f"localhost:5000/nb:latest@{SHA256}"),
        ("localhost:5000/nb:v1", f"localhost:5000/nb:v1@{SHA256}"),
        ("reg.io:5000", f"reg.io:5000@{SHA256}"),
        (f"nb@{OTHER}", f"nb@{SHA256}"),
        (f"nb:v1@{OTHER}", f"nb:v1@{SHA256}"),
        (f"nb:v1@{SHA256}", f"nb:v1@{SHA256}"),
    ],
)
def test_pinning_keeps_the_owners_spelling_and_writes_latest_out(text: str, pinned: str) -> None:
    assert parse(text).pinned(SHA256) == pinned


@pytest.mark.parametrize("digest", ["", "latest", SHA256[:-1], SHA256 + "\n", SHA256.upper()])
def test_an_image_is_never_pinned_to_what_is_no_digest(digest: str) -> None:
    with pytest.raises(InvalidReference):
        parse("nginx").pinned(digest)


def test_references_that_mean_the_same_are_equal_however_spelled() -> None:
    assert parse("nginx") == parse("index.docker.io/library/nginx:latest")
    assert len({parse("nginx"), parse("docker.io/nginx")}) == 1
    assert parse("nginx") != parse("nginx:1")


def test_a_reference_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        parse("nginx").tag = "evil"  # type: ignore[misc]  # that it fails is the point


SEPARATORS = st.sampled_from([".", "_", "__", "-", "---"])
WORDS = st.text("abz019", min_size=1, max_size=5)
COMPONENTS = st.builds(
    lambda first, rest: first + "".join(joint + word for joint, word in rest),
    WORDS,
    st.lists(st.tuples(SEPARATORS, WORDS), max_size=3),
)
DOCKER_HUB = ["docker.io/", "index.docker.io/", "registry-1.docker.io/"]
HOSTS = ["ghcr.io/", "GHCR.io/", "TEAM/", "localhost/", "localhost:5000/", "a-b.c--d:1/"]
ADDRESSES = ["[::1]/", "[fc00::A]:5000/", "10.0.0.1:80/"]
DOMAINS = st.sampled_from([*DOCKER_HUB, *HOSTS, *ADDRESSES])
PATHS = st.lists(COMPONENTS, min_size=1, max_size=4).map("/".join)
# Without a domain, a first component with a "." would be taken for one.
NAMES = st.builds("{}{}".format, DOMAINS, PATHS) | PATHS.map(lambda path: path.replace(".", "-"))
TAG = st.from_regex(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,20}", fullmatch=True).map(":{}".format)
DIGEST = st.sampled_from([f"@{SHA256}", f"@{SHA512}"])
REFERENCES = st.builds("{}{}{}".format, NAMES, st.just("") | TAG, st.just("") | DIGEST)


@given(REFERENCES)
def test_the_canonical_form_is_the_same_reference_and_its_own_canonical_form(text: str) -> None:
    read = parse(text)
    again = parse(read.canonical)
    assert again == read
    assert again.canonical == read.canonical


@given(REFERENCES)
def test_a_pinned_reference_is_the_same_image_at_that_digest(text: str) -> None:
    read = parse(text)
    pinned = parse(read.pinned(OTHER))
    assert pinned.digest == OTHER
    assert (pinned.repository, pinned.tag) == (read.repository, read.tag)
    assert pinned.pinned(OTHER) == pinned.text


@given(REFERENCES, st.sampled_from("\n\r\t \x00\x0b\x85\u2028"))
def test_a_trailing_newline_or_blank_is_refused(text: str, end: str) -> None:
    fault(text + end)


LIKELY = st.text("abzABZ019._-/:@[]*\n \u0430", max_size=60)


@given(st.text(max_size=300) | LIKELY)
@settings(max_examples=500)
def test_any_text_is_read_or_refused_in_one_short_printable_line(text: str) -> None:
    try:
        read = parse(text)
    except InvalidReference as error:
        said = str(error)
        assert said.isascii()
        assert said.isprintable()
        assert len(said) < 250
    else:
        assert isinstance(read, Reference)
        assert parse(read.canonical) == read


@given(st.text("a-_./:@A \n\u0430", min_size=1, max_size=8), st.integers(1, 10_000))
@settings(deadline=None)
def test_any_text_of_up_to_10000_characters_is_judged_in_bounded_time(
    piece: str, length: int
) -> None:
    assert seconds_to_judge((piece * length)[:length]) < BOUND_SECONDS


PIECES = [
    "a",
    "a-",
    "_",
    "a_",
    "a__",
    "a.",
    "a.a",
    "-",
    ":",
    "/",
    "a/",
    "@",
    "a:",
    "A",
    "A.",
    "[:",
    "0",
]
FRAMES = ["{}", "{}!", "r.io/{}", "r.io/{}!", "{}.x/a", "x:{}", "x@{}"]
LENGTHS = [100, MAX_PATH - len("library/"), MAX_DOMAIN, MAX_LENGTH - len("r.io/!"), 10_000]


@pytest.mark.parametrize("piece", PIECES)
def test_adversarial_texts_are_judged_in_bounded_time(piece: str) -> None:
    for frame, length in product(FRAMES, LENGTHS):
        text = frame.format((piece * length)[:length])
        assert seconds_to_judge(text) < BOUND_SECONDS, (frame, length)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("expression", ["_DOMAIN", "_PATH", "_TAG", "_TEXT", "_DIGEST"])
def test_the_expressions_are_linear_even_without_the_cap_on_length(
    piece: str, expression: str
) -> None:
    text = (piece * 10_000)[:10_000] + "!"
    start = time.perf_counter()
    getattr(grammar, expression).fullmatch(text)
    assert time.perf_counter() - start < 10 * BOUND_SECONDS


@given(st.text(max_size=300))
def test_what_is_shown_of_a_text_is_printable_and_short(text: str) -> None:
    shown = quoted(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 80 + len("'...")
