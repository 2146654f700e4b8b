from __future__ import annotations

import pytest

from webhook.scanner.probes.refusal import image_fault, lacks_folder, last_word_fault
from webhook.scanner.probes.tail import tail

# As podman 4.3.1 with runc 1.1.5 said them, and as crun words the same.
_RUNC = "Error: runc: runc create failed: unable to start container process: "
_NOT_FOUND = "OCI runtime attempted to invoke a command that was not found"
_NO_FILE = f'exec: "/x": stat /x: no such file or directory: {_NOT_FOUND}'
_NO_PERMISSION = 'exec: "/x": permission denied: OCI permission denied'
_NOT_IN_PATH = f"executable file `x` not found in $PATH: No such file or directory: {_NOT_FOUND}"
_MOUNT = (
    'error during container init: error mounting "/tmp/h" to rootfs at "/home/jovyan": mount '
    "/tmp/h:/home/jovyan (via /proc/self/fd/6), flags: 0x5000: not a directory"
)
_NO_COMMAND = "Error: no command or entrypoint provided, and no CMD or ENTRYPOINT from image"
_LIMITS = (
    f"{_RUNC}error during container init: error setting rlimits for ready process: error setting "
    "rlimit type 7: operation not permitted: OCI permission denied"
)
_CGROUPS = (
    "Error: OCI runtime error: crun: opening file `cgroup.subtree_control` for writing: "
    "No such file or directory"
)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (f"{_RUNC}{_NO_FILE}", _NO_FILE),
        (f"{_RUNC}{_NO_PERMISSION}", _NO_PERMISSION),
        (f"Error: crun: {_NOT_IN_PATH}", _NOT_IN_PATH),
        (_NO_COMMAND, "the image names no program to start"),
        (
            f"Error: OCI runtime error: runc: {_MOUNT}",
            "its /home/jovyan is no folder, so no volume can be mounted there",
        ),
    ],
)
def test_what_is_the_images_fault_is_told_as_such(said: str, reason: str) -> None:
    assert image_fault(said) == reason


@pytest.mark.parametrize(
    "said",
    [
        "",
        _LIMITS,
        _CGROUPS,
        'Error: default OCI runtime "crun" not found: invalid argument',
        "Error: localhost/x: image not known",
    ],
)
def test_what_is_the_machines_fault_never_blames_the_image(said: str) -> None:
    assert image_fault(said) is None


@pytest.mark.parametrize(
    "line",
    [
        "exec /bad: exec format error",
        "standard_init_linux.go:228: exec user process caused: exec format error",
        "exec /start.sh: no such file or directory",
        '{"msg":"exec container process `/bad`: Exec format error","level":"error"}',
    ],
)
def test_a_program_that_the_kernel_does_not_run_is_known_by_the_only_line(line: str) -> None:
    assert last_word_fault((line,)) is not None
    assert last_word_fault(("starting", line)) is None


def test_other_last_words_are_the_programs_own() -> None:
    assert last_word_fault(("Permission denied: '/home/jovyan/.local'",)) is None
    assert last_word_fault(()) is None


def test_a_missing_working_folder_is_known() -> None:
    assert lacks_folder('Error: workdir "/home/jovyan" does not exist on container 27511d')
    assert not lacks_folder("Error: workdir is fine")


def test_the_tail_is_at_most_twenty_lines_of_two_hundred_characters() -> None:
    lines = tail("\n".join(f"{n} " + "x" * 1000 for n in range(100)))
    assert len(lines) == 20
    assert lines[-1].startswith("99 xxx")
    assert {len(line) for line in lines} == {200}


def test_the_tail_is_clean() -> None:
    said = "\x1b[32mgreen\x1b[0m\tnext\r\n\n\x1b]0;title\x07\x00\n   \n[I 12:00] ok\u202e\n"
    assert tail(said) == ("green   next", "?]0;title??", "[I 12:00] ok?")
