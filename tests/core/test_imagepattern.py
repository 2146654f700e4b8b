"""Patterns compare whole components, name their registry, and say what is wrong with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.imagepattern import ImagePattern, InvalidPattern, compile_pattern
from webhook.core.reference import MAX_LENGTH, parse

SHA256 = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "fedcba9876543210" * 4


def matches(pattern: str, image: str) -> bool:
    return compile_pattern(pattern).matches(parse(image))


ALIKE = [
    # pattern, image that it covers
    ("*/**", "nginx"),
    ("*/**", "localhost:5000/a/b/c:v1"),
    ("*/**", f"ghcr.io/a@{SHA256}"),
    ("*/*", "ghcr.io/a"),
    ("*/library/nginx", "nginx"),
    ("*/team/nb", "ghcr.io/team/nb:v1"),
    ("docker.io/**", "nginx"),
    ("docker.io/**", "registry-1.docker.io/a/b"),
    ("index.docker.io/**", "docker.io/a/b"),
    ("docker.io/*", "nginx"),
    ("docker.io/nginx", "nginx:1.25"),
    ("docker.io/library/nginx", "index.docker.io/nginx"),
    ("docker.io/library/**", "nginx"),
    ("docker.io/team/*", "team/nb"),
    ("ghcr.io/kubeflow/**", "ghcr.io/kubeflow/nb"),
    ("ghcr.io/kubeflow/**", "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter:v1.10.0"),
    ("ghcr.io/*/**", "ghcr.io/a/b/c"),
    ("ghcr.io/*/nb", "ghcr.io/team/nb"),
    ("ghcr.io/*/*/nb", "ghcr.io/a/b/nb"),
    ("ghcr.io/x/y", "ghcr.io/x/y"),
    ("ghcr.io/x/y", "ghcr.io/x/y:v1"),
    ("ghcr.io/x/y", f"ghcr.io/x/y@{SHA256}"),
    ("ghcr.io/x/y", f"ghcr.io/x/y:v1@{SHA256}"),
    ("ghcr.io/x/y:v1", "ghcr.io/x/y:v1"),
    ("ghcr.io/x/y:latest", "ghcr.io/x/y"),
    (f"ghcr.io/x/y@{SHA256}", f"ghcr.io/x/y@{SHA256}"),
    (f"ghcr.io/x/y@{SHA256}", f"ghcr.io/x/y:v1@{SHA256}"),
    ("localhost:5000/**", "localhost:5000/nb"),
    ("[::1]:5000/**", "[::1]:5000/nb"),
]

DIFFERENT = [
    # pattern, image that it must not cover
    ("docker.io/**", "docker.io.evil.com/library/nginx"),
    ("docker.io/library/nginx", "docker.io.evil.com/library/nginx"),
    ("docker.io/**", "docker.io:443/library/nginx"),
    ("docker.io/**", "evil-docker.io/library/nginx"),
    ("docker.io/**", "Docker.io/library/nginx"),
    ("docker.io/*", "team/nb"),
    ("docker.io/nginx", "ghcr.io/library/nginx"),
    ("ghcr.io/kubeflow/**", "ghcr.io/kubeflow-evil/nb"),
    ("ghcr.io/kubeflow/**", "ghcr.io/kubeflow"),
    ("ghcr.io/kubeflow/**", "ghcr.io/evil/kubeflow/nb"),
    ("ghcr.io/kubeflow/**", "ghcr.io/kubeflo/w/nb"),
    ("ghcr.io/**", "kubeflow/nb"),
    ("ghcr.io/**", "ghcr.io:443/nb"),
    ("ghcr.io/**", "GHCR.io/nb"),
    ("ghcr.io/**", "localhost/ghcr.io/nb"),
    ("ghcr.io/*", "ghcr.io/a/b"),
    ("ghcr.io/*/nb", "ghcr.io/nb"),
    ("ghcr.io/*/nb", "ghcr.io/a/b/nb"),
    ("ghcr.io/*/nb", "ghcr.io/team/nb2"),
    ("ghcr.io/*/**", "ghcr.io/a"),
    ("*/nb", "ghcr.io/team/nb"),
    ("ghcr.io/x/y", "ghcr.io/x/y/z"),
    ("ghcr.io/x/y", "ghcr.io/x"),
    ("ghcr.io/x/y", "ghcr.io/x/yy"),
    ("ghcr.io/x/y:v1", "ghcr.io/x/y:v10"),
    ("ghcr.io/x/y:v1", "ghcr.io/x/y"),
    ("ghcr.io/x/y:v1", "ghcr.io/x/z:v1"),
    ("ghcr.io/x/y:v1", f"ghcr.io/x/y@{SHA256}"),
    ("ghcr.io/x/y:v1", f"ghcr.io/x/y:v1@{SHA256}"),
    (f"ghcr.io/x/y@{SHA256}", f"ghcr.io/x/y@{OTHER}"),
    (f"ghcr.io/x/y@{SHA256}", f"ghcr.io/x/z@{SHA256}"),
    (f"ghcr.io/x/y@{SHA256}", "ghcr.io/x/y"),
]


@pytest.mark.parametrize(("pattern", "image"), ALIKE)
def test_covers(pattern: str, image: str) -> None:
    assert matches(pattern, image)


@pytest.mark.parametrize(("pattern", "image"), DIFFERENT)
def test_does_not_cover(pattern: str, image: str) -> None:
    assert not matches(pattern, image)


def test_a_tag_beside_a_digest_counts_only_for_a_caller_who_trusts_it() -> None:
    pattern = compile_pattern("ghcr.io/x/y:v1")
    assert not pattern.matches(parse(f"ghcr.io/x/y:v1@{SHA256}"))
    assert pattern.matches(parse(f"ghcr.io/x/y:v1@{SHA256}"), trust_tag=True)
    assert not pattern.matches(parse(f"ghcr.io/x/y:v2@{SHA256}"), trust_tag=True)
    assert not pattern.matches(parse(f"ghcr.io/x/y@{SHA256}"), trust_tag=True)


def test_trusting_the_tag_never_widens_a_digest_or_a_name() -> None:
    image = parse(f"ghcr.io/x/y:v1@{OTHER}")
    assert not compile_pattern(f"ghcr.io/x/y@{SHA256}").matches(image, trust_tag=True)
    assert not compile_pattern("ghcr.io/x/z:v1").matches(image, trust_tag=True)


FAULTS = [
    # text, a part of what is said about it
    ("", "it is empty: write a pattern, such as ghcr.io/kubeflow/**"),
    ("ghcr.io", "it names a registry only: write 'ghcr.io/**'"),
    ("ghcr.io/", "it names a registry only: write 'ghcr.io/**'"),
    ("localhost", "it names a registry only: write 'localhost/**'"),
    ("localhost:5000", "it names a registry only: write 'localhost:5000/**'"),
    ("*", "it names a registry only: write '*/**'"),
    ("**", '"**" names no registry: write "*/**" for every image'),
    ("nginx", "it does not start with a registry: write 'docker.io/library/nginx'"),
    ("nginx:1.25", "it does not start with a registry: write 'docker.io/library/nginx:1.25'"),
    ("python:3", "write 'docker.io/library/python:3' or 'python:3/**'"),
    (f"nginx@{SHA256}", "write 'docker.io/library/nginx@sha256:0123"),
    ("library/nginx", "it does not start with a registry: write 'docker.io/library/nginx'"),
    ("kubeflow/**", "it does not start with a registry: write 'docker.io/kubeflow/**'"),
    ("/x", "it does not start with a registry: write 'docker.io/x'"),
    ("ghcr.io/kube*", "wildcards stand for whole components"),
    ("ghcr.io/kube*/x", "replace or write out 'kube*'"),
    ("ghcr.io/***", "wildcards stand for whole components"),
    ("*.io/**", "wildcards stand for whole components"),
    ("ghcr*/x", "wildcards stand for whole components"),
    ("ghcr.io/**/x", '"**" can stand only at the end'),
    ("**/x", '"**" can stand only at the end'),
    ("**/**", '"**" can stand only at the end'),
    ("ghcr.io//x", "a component is empty: remove the extra \"/\" from '/x'"),
    ("ghcr.io/x/", "a component is empty"),
    ("ghcr.io/x//**", "a component is empty"),
    ("ghcr.io/Kube/**", "repository names are lower-case: write 'kube'"),
    ("ghcr.io/Kube/nb", "repository names are lower-case: write 'kube'"),
    ("GHCR.io/**", "registries are lower-case in patterns: write 'ghcr.io'"),
    ("ghcr.io/[ab]/x", "'[ab]' cannot be part of a repository name"),
    ("ghcr.io/a?/x", "'a?' cannot be part of a repository name"),
    ("ghcr.io/x:v1/y", "'x:v1' cannot be part of a repository name"),
    ("my_reg.io/**", "'my_reg.io' is no registry"),
    ("https://ghcr.io/**", "leave out 'https://'"),
    ("ghcr.io/x/*:v1", "a tag or digest needs a name without wildcards"),
    ("*/x:v1", "a tag or digest needs a name without wildcards"),
    (f"ghcr.io/x/**@{SHA256}", "a tag or digest needs a name without wildcards"),
    (f"ghcr.io/x:v1@{SHA256}", "a digest says all"),
    ("ghcr.io/x:v*", "tags have no wildcards: leave out ':v*'"),
    ("ghcr.io/x:", 'tag is empty after ":"'),
    ("ghcr.io/x:-", "'-' is no tag"),
    ("ghcr.io/x@", 'digest is empty after "@"'),
    ("ghcr.io/x@sha256:aa", "a sha256 digest has exactly 64 lower-case hex digits"),
    ("ghcr.io/a b", "it has a blank in it"),
    ("ghcr.io/x\n", "it has a blank in it"),
    ("ghcr.io/x\x00", r"'ghcr.io/x\x00'"),
    ("ghcr.io/" + "a" * 256, "no repository's name is as long as this: at most 255"),
    ("ghcr.io/*/" + "/".join(["a" * 90] * 3), "at most 255"),
    ("ghcr.io/" + "a" * 10_000, f"at most {MAX_LENGTH} are allowed"),
]


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_says_what_is_wrong_and_the_cure(text: str, said: str) -> None:
    with pytest.raises(InvalidPattern) as caught:
        compile_pattern(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty: write a pattern, such as ghcr.io/kubeflow/**"),
        ("**", '"**" names no registry: write "*/**" for every image'),
        ("**/x", '"**" can stand only at the end: write "*" for one component'),
        (
            "ghcr.io/a*",
            (
                'wildcards stand for whole components, "*" for one, "**" at the end for all below: '
                "replace or write out 'a*'"
            ),
        ),
        ("ghcr.io/*:v1", "a tag or digest needs a name without wildcards: leave it out"),
        (
            f"ghcr.io/x:v1@{SHA256}",
            "a digest says all: leave out the tag, or leave out the digest",
        ),
    ],
)
def test_the_cure_is_told_whole(text: str, said: str) -> None:
    with pytest.raises(InvalidPattern) as caught:
        compile_pattern(text)
    assert str(caught.value) == said


@pytest.mark.parametrize("text", ["ghcr.io/" + "a" * 255, "ghcr.io/" + "a" * 252 + "/**"])
def test_a_name_may_be_as_long_as_a_repositorys(text: str) -> None:
    assert str(compile_pattern(text)) == text
    with pytest.raises(InvalidPattern, match="at most 255"):
        compile_pattern(text.replace("a", "aa", 1))


def test_an_invalid_pattern_is_a_value_error_for_those_who_read_policies() -> None:
    assert issubclass(InvalidPattern, ValueError)


def test_a_pattern_is_a_value_that_writes_itself_as_it_was_written() -> None:
    assert str(compile_pattern("index.docker.io/**")) == "index.docker.io/**"
    assert compile_pattern("ghcr.io/**") == compile_pattern("ghcr.io/**")
    assert len({compile_pattern("ghcr.io/**"), compile_pattern("ghcr.io/*")}) == 2


DOMAINS = st.sampled_from(["docker.io", "ghcr.io", "ghcr.io.evil.com", "localhost:5000", "quay.io"])
COMPONENTS = st.sampled_from(["a", "b", "ab", "a-b", "library"])
PATHS = st.lists(COMPONENTS, min_size=1, max_size=4).map("/".join)
NAMES = st.builds("{}/{}".format, DOMAINS, PATHS)


@given(NAMES, NAMES)
def test_a_pattern_without_wildcard_matches_only_itself(pattern: str, image: str) -> None:
    same = parse(pattern).repository == parse(image).repository
    assert matches(pattern, pattern)
    assert matches(pattern, image) == same


@given(DOMAINS, NAMES)
def test_double_star_never_matches_another_registry(domain: str, image: str) -> None:
    assert matches(f"{domain}/**", image) == (parse(image).domain == domain)


@given(NAMES, NAMES)
def test_double_star_matches_what_is_below_and_nothing_else(above: str, image: str) -> None:
    below = parse(image).repository.startswith(f"{above}/")
    assert matches(f"{above}/**", image) == below


@given(NAMES, st.data())
def test_a_star_matches_exactly_the_component_it_replaces(name: str, data: st.DataObject) -> None:
    name = parse(name).repository
    components = name.split("/")
    place = data.draw(st.integers(0, len(components) - 1))
    pattern = "/".join([*components[:place], "*", *components[place + 1 :]])
    assert matches(pattern, name)
    assert not matches(pattern, f"{name}/more")


@given(st.text("ab*/.:@-GH\n \u0430", max_size=40) | st.text(max_size=1000))
def test_any_text_is_compiled_or_refused_in_one_short_printable_line(text: str) -> None:
    try:
        pattern = compile_pattern(text)
    except InvalidPattern as error:
        said = str(error)
        assert said.isascii()
        assert said.isprintable()
        assert len(said) < 320
    else:
        assert isinstance(pattern, ImagePattern)
        assert compile_pattern(str(pattern)) == pattern
