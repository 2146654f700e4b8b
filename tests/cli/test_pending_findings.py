"""Faults of the command line and of the server that are not mended yet: each test here fails until one is.

A test that passes moves to the file of its command.
"""

import errno
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.running import Ended, nbgate
from webhook.cli.main import nbgate as program
from webhook.core.decision import Snapshot, mutate, validate
from webhook.core.document import parse_duration, parse_time
from webhook.core.manifest import request_for
from webhook.core.policy import DEFAULT_POLICY
from webhook.core.review import ReviewError

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
NOTEBOOK = EXAMPLES / "notebook.yaml"
NBGATE = Path(sys.executable).with_name("nbgate")
POD = "kind: Pod\nmetadata: {name: a, labels: {notebook-name: a}}\n"


def program_in(home: Path, *words: str | bytes, shell: str = "", **environment: str) -> Ended:
    """Run nbgate in a process of its own, `shell` after it: redirections and pipes."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_")}
    command = [os.fsencode(NBGATE), *(os.fsencode(word) for word in words)]
    run = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$0" "$@" {shell}', *command],
        capture_output=True,
        env={**own, "NBGATE_HOME": str(home), **environment},
        timeout=60,
        check=False,
    )
    return Ended(run.returncode, run.stdout.decode("utf-8", "replace"), run.stderr.decode())


def reviewed(home: Path, text: str, *flags: str) -> Ended:
    return nbgate(home, "review", "-", *flags, given=text.encode())


# -- serious ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["containers", "initContainers"])
def test_a_pod_of_very_many_containers_holds_a_thread_for_less_than_a_second(name: str) -> None:
    """2.4 MB, which the API server passes on: eight at once keep every thread of a worker for a minute."""
    many = [{"name": f"n{i}", "image": "B"} for i in range(80_000)]
    spec = {"containers": [{"name": "a", "image": "x"}], name: many}
    document = {**yaml.safe_load(POD), "spec": spec}
    request = request_for(document, "team")
    started = time.process_time()
    with pytest.raises(ReviewError, match="holds more than 200 containers"):
        validate(request, Snapshot(), 0.0)
    assert time.process_time() - started < 1


def test_very_many_duplicates_of_nb_prefix_hold_a_thread_for_less_than_a_second() -> None:
    """1 MB of them took 3.4 s, 2.9 MB took 13 s and a patch of 10 MB; eight such at once stopped the server."""
    env = [{"name": "NB_PREFIX"}] * 50_000
    document = {
        **yaml.safe_load(POD),
        "spec": {"containers": [{"name": "a", "image": "x", "env": env}]},
    }
    request = request_for(document, "team")
    started = time.process_time()
    mutate(request, Snapshot())
    assert time.process_time() - started < 1


def test_sigterm_while_a_worker_starts_ends_the_server_with_code_0(tmp_path: Path) -> None:
    """`handle_exit` takes `self.app.edge`, which is None until build_edge has returned: HaltServer, a traceback, 1."""
    scans = tmp_path / "scans"
    scans.mkdir()
    scan = scans / "a.yaml"
    scan.write_bytes((EXAMPLES / "scans.yaml").read_bytes())
    own = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_")}
    command = [str(NBGATE), "serve", "--listen", "127.0.0.1:0", "--grace", "0"]
    log: list[str] = []
    with subprocess.Popen(
        command,
        env={**own, "NBGATE_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if "Booting worker" in line:
                os.utime(scan)  # a file that was written just now must rest, so the worker waits
                time.sleep(0.1)
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 0, log[-3:]
    assert not any("Traceback" in line for line in log)


# -- flags and environment -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "flag"),
    [(("audit",), "--requirement"), (("certs", "issue"), "--dir"), (("certs", "issue"), "--host")],
)
def test_a_flag_s_variable_is_named_like_the_flag(command: tuple[str, ...], flag: str) -> None:
    """The parameters are called requirements, directory and hosts, and click makes the variable of that name."""
    context, found = click.Context(program, info_name="nbgate", auto_envvar_prefix="NBGATE"), None
    for name in command:
        assert isinstance(context.command, click.Group)
        found = context.command.get_command(context, name)
        assert found is not None
        context = click.Context(found, parent=context, info_name=name)
    assert found is not None
    option = next(p for p in found.params if flag in p.opts)
    wanted = flag.removeprefix("--").replace("-", "_").upper()
    assert option.envvar == f"{context.auto_envvar_prefix}_{wanted}" or (
        (option.name or "").upper() == wanted
    )


def test_a_grace_that_is_no_number_is_bad_usage(tmp_path: Path) -> None:
    """click's FloatRange takes nan; gunicorn then prints `cannot convert float NaN to integer` and exits 1: denied."""
    ended = program_in(tmp_path, "serve", "--listen", "127.0.0.1:0", "--grace", "nan")
    assert (ended.code, "--grace" in ended.err) == (2, True)


def test_a_host_that_no_resolver_takes_is_the_fault_of_listen(tmp_path: Path) -> None:
    """getaddrinfo raises UnicodeError, not gaierror, for empty or long labels; with --tls self, --tls is blamed."""
    for tls in ("self", str(tmp_path / "certs")):
        ended = program_in(tmp_path, "serve", "--tls", tls, "--listen", "foo..bar:8443")
        assert ended.code in (2, 3)
        assert "internal error" not in ended.err
        assert "--listen" in ended.err


def test_a_variable_of_prometheus_does_not_end_a_single_worker(tmp_path: Path) -> None:
    """PROMETHEUS_MULTIPROC_DIR is read by prometheus_client even with --workers 1, and need not be a folder."""
    ended = program_in(
        tmp_path,
        *("serve", "--listen", "127.0.0.1:0", "--grace", "0"),
        shell="& pid=$!; sleep 4; kill -TERM $pid; wait $pid",
        PROMETHEUS_MULTIPROC_DIR="/nonexistent",
    )
    assert (ended.code, "Traceback" in ended.err) == (0, False)


def test_the_folder_of_the_workers_metrics_is_removed(tmp_path: Path) -> None:
    """tempfile.mkdtemp(prefix="nbgate-metrics-") is nobody's to remove: one is left by each run."""
    ended = program_in(
        tmp_path,
        *("serve", "--listen", "127.0.0.1:0", "--grace", "0", "--workers", "2"),
        shell="& pid=$!; sleep 4; kill -TERM $pid; wait $pid",
        TMPDIR=str(tmp_path),
    )
    assert ended.code == 0
    assert not list(tmp_path.glob("nbgate-metrics-*"))


# -- what is not told, or told wrongly -------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        'kind: "\\e]0;title\\a"',
        'kind: "\\x9b31m"',
        'kind: AdmissionReview\napiVersion: "\\e]0;title\\a"',
    ],
)
def test_control_characters_of_a_kind_or_version_reach_no_terminal(
    tmp_path: Path, text: str
) -> None:
    """manifest.request_for shows `{kind:.60}` and review._quoted the value raw; a window's title can be set."""
    ended = reviewed(tmp_path, text)
    assert ended.code == 2
    assert ended.err.rstrip("\n").isprintable()


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_c1_and_bidirectional_controls_are_escaped_for_programs_too(
    tmp_path: Path, output: str
) -> None:
    """orjson writes U+009B (CSI to many terminals), U+007F and U+202E raw; PyYAML with allow_unicode U+202E."""
    text = 'kind: Pod\nmetadata: {name: "a\\x9b31m\\u202e", labels: {notebook-name: a}}\n'
    ended = reviewed(tmp_path, text, "-o", output)
    assert all(line.isprintable() for line in ended.out.splitlines())


def test_a_namespace_of_a_wrong_type_is_refused(tmp_path: Path) -> None:
    """request_for takes the default namespace where metadata.namespace is no text: a silent default."""
    ended = reviewed(tmp_path, "kind: Pod\nmetadata: {namespace: 3, labels: {notebook-name: a}}\n")
    assert ended.code == 2
    assert "metadata.namespace" in ended.err


def test_a_namespace_document_that_cannot_be_read_is_named_by_its_place(tmp_path: Path) -> None:
    """`a Namespace cannot be read: metadata.name must be text`: which file, which document?"""
    ended = reviewed(tmp_path, f"{POD}---\nkind: Namespace\nmetadata: {{name: 3}}\n")
    assert ended.code == 2
    assert "standard input, document 2: metadata.name" in ended.err


@pytest.mark.parametrize(
    ("kind", "path"),
    [("Pod", "spec"), ("StatefulSet", "spec.template.spec"), ("Notebook", "spec.template.spec")],
)
def test_a_fault_in_a_manifest_is_named_by_its_path_in_that_manifest(
    tmp_path: Path, kind: str, path: str
) -> None:
    """`request.object.spec.containers[0].image` is the path in an AdmissionReview, which nobody wrote here."""
    spec = {"containers": [{"name": "a", "image": 3}]}
    template = {"metadata": {"labels": {"notebook-name": "a"}}, "spec": spec}
    pod = {"metadata": {"name": "a", "labels": {"notebook-name": "a"}}, "spec": spec}
    document = pod if kind == "Pod" else {"metadata": {"name": "a"}, "spec": {"template": template}}
    ended = reviewed(tmp_path, yaml.safe_dump({"kind": kind, **document}))
    assert ended.code == 2
    assert f"standard input: {path}.containers[0].image" in ended.err


def test_a_closed_standard_input_is_told_of_in_words(tmp_path: Path) -> None:
    ended = program_in(tmp_path, "review", "-", shell="<&-")
    assert "internal error" not in ended.err
    assert ended.code == 2


def test_a_full_disk_under_the_output_is_told_of_in_words(tmp_path: Path) -> None:
    ended = program_in(tmp_path, "policy", "show", shell="> /dev/full")
    assert os.strerror(errno.ENOSPC) in ended.err
    assert "internal error" not in ended.err
    assert ended.code == 3


def test_a_reader_that_goes_away_does_not_turn_allowed_into_denied(tmp_path: Path) -> None:
    """click's main() turns EPIPE into exit code 1 itself; the BrokenPipeError branch of main.main is never reached."""
    ended = program_in(tmp_path, "policy", "show", shell="| sh -c 'exec <&-; sleep 1'")
    assert ended.code == 0


def test_a_home_that_cannot_be_found_is_told_of_in_words(tmp_path: Path) -> None:
    """Path.expanduser and Path.home raise RuntimeError: so too where HOME is unset and the UID has no passwd entry."""
    ended = nbgate(tmp_path, "policy", "show", NBGATE_HOME="~nobody-of-this-name/x")
    assert "internal error" not in ended.err
    assert "NBGATE_HOME" in ended.err
    assert ended.code in (2, 3)


def test_a_file_s_name_that_is_not_utf_8_is_printed_all_the_same(tmp_path: Path) -> None:
    """str(path) has a surrogate: orjson refuses it; on a terminal, so does the encoder."""
    name = os.fsencode(tmp_path) + b"/\xff.yaml"
    Path(os.fsdecode(name)).write_bytes(NOTEBOOK.read_bytes())
    ended = program_in(tmp_path, "review", name, "-o", "json")
    assert "internal error" not in ended.err
    assert ended.code == 1


def test_a_locale_without_a_letter_prints_a_substitute(tmp_path: Path) -> None:
    """Where standard output is not UTF-8, a table with any other letter ends in UnicodeEncodeError."""
    (tmp_path / "a.yaml").write_text("kind: Pod\nmetadata: {name: wörk}\n")
    ended = program_in(tmp_path, "review", str(tmp_path / "a.yaml"), PYTHONIOENCODING="ascii")
    assert "internal error" not in ended.err
    assert ended.code == 0


# -- certs -----------------------------------------------------------------------------------------


def test_an_ipv6_address_is_printed_as_it_is(tmp_path: Path) -> None:
    """rich replaces `:100:` and the like by an emoji unless it is told not to, in tables too."""
    ended = nbgate(tmp_path, "certs", "issue", "--host", "2001:100::1")
    assert "2001:100::1" in ended.out
    assert "2001:100::1" in nbgate(tmp_path, "certs", "show").out


def named_certificate(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("name", ["[/x]", "[bold]a"])
def test_a_subject_is_no_markup(tmp_path: Path, name: str) -> None:
    """Table.add_row(str) reads rich's markup: a subject from anywhere ends `certs show` in MarkupError."""
    path = tmp_path / "one.pem"
    path.write_bytes(named_certificate(name))
    ended = nbgate(tmp_path, "certs", "show", path)
    assert name in ended.out
    assert ended.code == 0


def test_a_folder_without_its_key_is_told_to_lack_it(tmp_path: Path) -> None:
    """`certs show` says what is wrong with a folder's certificates, and exits 0 for one that cannot serve."""
    assert nbgate(tmp_path, "certs", "issue").code == 0
    (tmp_path / "certs" / "tls.key").unlink()
    ended = nbgate(tmp_path, "certs", "show")
    assert ended.code == 1
    assert "tls.key" in ended.out


def test_a_folder_that_cannot_be_written_is_no_bad_input(tmp_path: Path) -> None:
    """UnwritableFileError and BusyDirectoryError are the surroundings' fault: exit 3, as for scans and audit log."""
    ended = nbgate(tmp_path, "certs", "issue", "--dir", "/proc/nbgate")
    assert ended.code == 3


def test_what_to_do_next_names_the_folder_that_was_named(tmp_path: Path) -> None:
    """The hint `nbgate certs show --ca-bundle` reads $NBGATE_HOME/certs, whatever --dir was."""
    ended = nbgate(tmp_path, "certs", "issue", "--dir", tmp_path / "other")
    assert f"certs show --ca-bundle {tmp_path / 'other'}" in ended.out


# -- the newcomer ----------------------------------------------------------------------------------


def test_the_readme_s_example_is_admitted_next_year_too() -> None:
    """docs/examples/scans.yaml was resolved on 2026-11-20: from 2026-11-27 the review says WARNED [stale]."""
    after = parse_duration(DEFAULT_POLICY.spec.stale.after)
    for document in yaml.safe_load_all((EXAMPLES / "scans.yaml").read_text()):
        until = parse_time(document["status"]["resolvedAt"]) + after
        assert datetime.now(UTC).timestamp() + 365 * 86400 < until
