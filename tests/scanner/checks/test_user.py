"""user-jovyan, uid-1000 and home-jovyan: who the image runs as, by its config and its /etc/passwd."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scanner.checks.sights import PASSWD, config, files, seen
from webhook.core.scan import Check
from webhook.scanner.checks import home_jovyan, uid_1000, user_jovyan

RESULTS = ("user-jovyan", "uid-1000", "home-jovyan")
OTHER = b"root:x:0:0::/root:/bin/sh\nother:x:1000:100::/home/jovyan:\njovyan:x:1001:100::/srv:\n"


def decided(user: str, passwd: bytes | None = PASSWD, **changes: object) -> list[Check]:
    sight = seen(image=config(user=user, **changes), read=files(passwd))
    return [decide.check(sight) for decide in (user_jovyan, uid_1000, home_jovyan)]


@pytest.mark.parametrize(
    ("user", "passwd", "results"),
    [
        ("1000", PASSWD, "Pass Pass Pass"),
        ("1000:100", PASSWD, "Pass Pass Pass"),
        ("jovyan", PASSWD, "Pass Pass Pass"),
        ("jovyan:users", PASSWD, "Pass Pass Pass"),
        ("", PASSWD, "Fail Fail Fail"),
        ("0", PASSWD, "Fail Fail Fail"),
        ("root", PASSWD, "Fail Fail Fail"),
        ("0:1000", PASSWD, "Fail Fail Fail"),
        ("1000", OTHER, "Fail Pass Pass"),
        ("other", OTHER, "Fail Pass Pass"),
        ("jovyan", OTHER, "Pass Fail Fail"),
        ("1001", OTHER, "Pass Fail Fail"),
        ("1000", None, "Fail Pass Fail"),
        ("jovyan", None, "Pass Fail Fail"),
        ("1000", b"", "Fail Pass Fail"),
        ("nobody", PASSWD, "Fail Fail Fail"),
        ("", None, "Fail Fail Fail"),
        # the first line that fits is the user, as runtimes have it
        ("1000", b"jovyan:x:1000:0::/home/jovyan:\nx:x:1000:0::/x:\n", "Pass Pass Pass"),
        ("1000", b"x:x:1000:0::/x:\n" + PASSWD, "Fail Pass Fail"),
        # lines are read as Go does it: who is first there is first here
        ("jovyan", b"jovyan:x:zero:0::/root:\n" + PASSWD, "Pass Fail Fail"),
        ("jovyan", b"jovyan:x:+0:0::/root:\n" + PASSWD, "Pass Fail Fail"),
        ("jovyan", b"jovyan:x:4294967296:0::/root:\n" + PASSWD, "Pass Fail Fail"),
        ("jovyan", b"jovyan\n" + PASSWD, "Pass Fail Fail"),
        ("jovyan", b"#\x0c" + PASSWD[32:] + b"jovyan:x:0:0::/:\n", "Pass Fail Fail"),
        ("jovyan", "\u2028".encode() + PASSWD[32:], "Pass Pass Pass"),
        ("jovyan", b"\x1c" + PASSWD[32:] + b"jovyan:x:0:0::/:\n", "Pass Fail Fail"),
        # a number is never a name
        ("0", b"0:x:1000:100::/home/jovyan:\n", "Fail Fail Fail"),
        ("1000", b"1000:x:0:0::/:\n" + PASSWD, "Pass Pass Pass"),
        # what is no line of a passwd file is passed over
        (
            "1000",
            b"\n:::\njovyan\nnot:a:number:0::/:\n\xff\xfe:x:1:1::\n" + PASSWD,
            "Pass Pass Pass",
        ),
    ],
)
def test_the_user_is_who_a_runtime_would_start(
    user: str, passwd: bytes | None, results: str
) -> None:
    checks = decided(user, passwd)
    assert " ".join(check.result for check in checks) == results
    assert tuple(check.requirement for check in checks) == RESULTS
    assert all(check.message for check in checks)


def test_a_failure_names_the_user_and_the_cure() -> None:
    root = [check.message for check in decided("")]
    assert root[0].startswith("the image sets no user, so it runs as root: add")
    assert root[1] == 'user root has UID 0: add "USER 1000"'
    assert root[2].endswith(': add "USER 1000"')
    assert root[2].startswith("root's home is /root in /etc/passwd")
    unknown = decided("nobody")
    assert "user nobody is not in /etc/passwd, so nothing can start it" in unknown[1].message


def test_a_numeric_user_is_decided_by_the_config_alone() -> None:
    assert decided("1001")[1].evidence == "Config"
    assert decided("1000", None)[1] == uid_1000.check(seen(read=files(None)))


def test_where_passwd_is_a_link_nothing_is_guessed() -> None:
    linked = files(None, link="/nix/store/passwd")
    for user, results in (("1000", "Unknown Pass Unknown"), ("jovyan", "Pass Unknown Unknown")):
        sight = seen(image=config(user=user), read=linked)
        checks = [decide.check(sight) for decide in (user_jovyan, uid_1000, home_jovyan)]
        assert " ".join(check.result for check in checks) == results
        unknown = [check.message for check in checks if check.result == "Unknown"]
        assert all("/etc/passwd is a link to /nix/store/passwd" in text for text in unknown)


@pytest.mark.parametrize(
    ("home", "result"),
    [("/home/jovyan", "Pass"), ("/home/jovyan/", "Pass"), ("/root", "Fail"), ("", "Fail")],
)
def test_home_in_the_environment_must_not_contradict_passwd(home: str, result: str) -> None:
    assert decided("1000", env={"HOME": home})[2].result == result


@given(st.text(max_size=40), st.binary(max_size=200))
def test_no_user_and_no_passwd_is_too_strange(user: str, passwd: bytes) -> None:
    for check in decided(user, passwd):
        assert check.result in {"Pass", "Fail"}
        assert check.message.isprintable()
        assert len(check.message) <= 300


@pytest.mark.parametrize(
    ("passwd", "cure"),
    [
        (b"", 'add "RUN useradd --uid 1000 --create-home jovyan" and "USER 1000"'),
        (PASSWD, 'add "USER 1000"'),
        (
            b"ubuntu:x:1000:1000::/home/ubuntu:\n",
            'add "RUN usermod --login jovyan --home /home/jovyan --move-home ubuntu" and "USER 1000"',
        ),
        (
            b"jovyan:x:1001:100::/home/jovyan:\n",
            'add "RUN usermod --uid 1000 jovyan" and "USER 1000"',
        ),
        (
            b"jovyan:x:1000:100::/srv:\n",
            'add "RUN usermod --home /home/jovyan jovyan" and "USER 1000"',
        ),
        (
            b"jovyan:x:1001:100::/srv:\nalice:x:1000:100::/srv:\n",
            'give jovyan the UID 1000 that alice has, and add "USER 1000"',
        ),
    ],
)
def test_the_cure_fits_who_is_there_already(passwd: bytes, cure: str) -> None:
    assert decided("", passwd)[1].message == f"user root has UID 0: {cure}"
