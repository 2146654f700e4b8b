import pytest

from webhook.scanner.platforms import InvalidPlatform, parse_platform, platform_of


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/AMD64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_platforms_that_runtimes_hold_for_one_are_one(written: str, meant: str) -> None:
    assert parse_platform(written) == meant


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/amd 64", "x/\n"]
)
def test_what_is_no_platform_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(InvalidPlatform, match="write OS/ARCH"):
        parse_platform(text)


def test_a_platform_is_short_enough_for_an_imagescan() -> None:
    assert len(platform_of("o" * 31, "a" * 31, "v" * 31)) <= 100
    with pytest.raises(InvalidPlatform):
        platform_of("o" * 32, "amd64")
