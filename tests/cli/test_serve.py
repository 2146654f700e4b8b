"""`nbgate serve`: what cannot be served is said at once with the cure; what can is served within seconds."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from certs.certificate import describe
from certs.selfsigned import ensure
from tests.cli.running import Ended
from tests.server.running import RunningServer, recorded

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
NBGATE = Path(sys.executable).with_name("nbgate")
FREE = ("--listen", "127.0.0.1:0", "--grace", "0")
DAY = timedelta(days=1)


def own_environment() -> dict[str, str]:
    unwanted = ("NBGATE_", "PROMETHEUS_", "http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY")
    return {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}


def serve(home: Path, *flags: str | Path, **environment: str) -> Ended:
    """Run a server that is to end by itself, for its flags are wrong."""
    run = subprocess.run(
        [str(NBGATE), "serve", *FREE, *map(str, flags)],
        capture_output=True,
        text=True,
        env={**own_environment(), "NBGATE_HOME": str(home), **environment},
        timeout=30,
        check=False,
    )
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    assert "internal error" not in run.stderr
    return Ended(run.returncode, run.stdout, run.stderr)


# -- what cannot be served -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags",
    [
        ("--listen", "nonsense"),
        ("--listen", "127.0.0.1"),
        ("--listen", "127.0.0.1:65536"),
        ("--listen", "::1:8443"),
        ("--workers", "0"),
        ("--workers", "65"),
        ("--threads", "x"),
        ("--grace", "nan"),
        ("--grace", "-1"),
        ("--audit-level", "some"),
        ("--log-level", "loud"),
    ],
    ids=" ".join,
)
def test_a_flag_out_of_bounds_is_bad_usage_and_makes_nothing(
    tmp_path: Path, flags: tuple[str, str]
) -> None:
    ended = serve(tmp_path, *flags)
    assert ended.code == 2
    assert f"Invalid value for '{flags[0]}'" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--policy", "nowhere"), "nowhere: is not there"),
        (("--policy", "."), ".: is a folder; name a file"),
        (("--scans", "nowhere"), "--scans: nowhere is no folder: create it, or name another"),
        (("--scans", "file"), "--scans: file is no folder: create it, or name another"),
        (("--tls", "nowhere"), "--tls: nowhere is no folder: name one with tls.crt and tls.key"),
        (("--tls", "file"), "--tls: file is no folder"),
    ],
    ids=str,
)
def test_what_a_flag_names_and_is_not_there_is_told_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    ended = serve(tmp_path / "home", *flags)
    assert ended.code == 2
    assert words in ended.err


@pytest.mark.parametrize("flags", [("--tls",), ("--policy",), ("--policy", "--scans")], ids=str)
def test_without_a_cluster_to_speak_to_it_is_told_at_once_with_the_cure(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    named = [word for flag in flags for word in (flag, "cluster")]
    ended = serve(tmp_path, *named, KUBECONFIG=str(tmp_path / "nowhere"))
    assert ended.code == 3
    assert ended.err.startswith(f"nbgate: {' cluster, '.join(flags)} cluster: the kubeconfig names")
    assert "set KUBECONFIG to a file that `kubectl get pods` works with" in ended.err


@pytest.mark.parametrize("place", ["below a file", "self"])
def test_a_folder_that_cannot_take_the_secret_is_told_at_once(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    home = tmp_path / "file" if place == "below a file" else tmp_path
    if place == "self":
        pair(tmp_path / "certs")
    ended = serve(
        home,
        "--tls",
        "cluster",
        "--policy",
        "cluster",
        "--scans",
        "cluster",
        KUBECONFIG=unused(tmp_path),
    )
    assert ended.code == 3
    assert ended.err.startswith("nbgate: --tls cluster: ")
    assert str(home / "certs") in ended.err


def unused(folder: Path) -> str:
    """A kubeconfig of a cluster that is not there."""
    path = folder / "kubeconfig"
    context = {"cluster": "c", "user": "u"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": context}],
        "current-context": "c",
    }
    path.write_text(json.dumps(config))
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_for_a_certificate_at_once(
    tmp_path: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [str(NBGATE), "serve", *FREE, "--tls", "cluster"],
        env={**own_environment(), "NBGATE_HOME": str(tmp_path), "KUBECONFIG": unused(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = json.loads(process.stderr.readline())
        process.send_signal(number)
        started = time.monotonic()
        _, rest = process.communicate(timeout=30)
    assert said["event"] == "waiting for a certificate"
    assert said["source"] == "Secret nbgate-tls in namespace nbgate-system"
    assert "no answer from https://127.0.0.1:1" in said["problem"]
    assert process.returncode == (0 if number == signal.SIGTERM else 130)
    assert "Traceback" not in rest
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("place", ["flag", "home", "variable"])
def test_a_policy_that_cannot_hold_is_told_with_every_fault(tmp_path: Path, place: str) -> None:
    path = tmp_path / ("policy.yaml" if place == "home" else "mine.yaml")
    document = yaml.safe_load((EXAMPLES / "policy.yaml").read_text())
    document["spec"] |= {"a": 1, "unknown": "Nope", "stale": {"after": 3}}
    path.write_text(yaml.safe_dump(document))
    flags = ("--policy", str(path)) if place == "flag" else ()
    named = {"NBGATE_SERVE_POLICY": str(path)} if place == "variable" else {}
    ended = serve(tmp_path, *flags, **named)
    assert ended.code == 2
    for field in ("spec.a", "spec.unknown", "spec.stale.after"):
        assert f"{path}: {field}: " in ended.err


def pair(folder: Path, *, age: timedelta = 0 * DAY) -> Path:
    ensure(folder, ["localhost"], now=datetime.now(UTC) - age, leaf_lifetime=5 * DAY)
    return folder


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("nothing", ["tls.crt: no such file", "tls.key: no such file"]),
        ("no key", ["tls.key: no such file"]),
        ("nonsense", ["tls.crt: no PEM certificate", "tls.key: not a private key"]),
        ("expired", ["tls.crt: ", "expired"]),
        ("not yet", ["tls.crt: ", "not valid before"]),
        ("mismatched", ["tls.key: the private key is not the certificate's"]),
        ("no client CA", ["client-ca.crt: "]),
    ],
)
def test_a_folder_that_cannot_serve_is_told_with_every_reason(
    tmp_path: Path, wrong: str, words: list[str]
) -> None:
    ages = {"expired": 9 * DAY, "not yet": -2 * DAY}
    folder = pair(tmp_path / "tls", age=ages.get(wrong, 0 * DAY))
    match wrong:
        case "nothing":
            for path in folder.glob("tls.*"):
                path.unlink()
        case "no key":
            (folder / "tls.key").unlink()
        case "nonsense":
            for path in folder.glob("tls.*"):
                path.write_text("nonsense")
        case "mismatched":
            other = pair(tmp_path / "other")
            (folder / "tls.key").write_bytes((other / "tls.key").read_bytes())
        case "no client CA":
            (folder / "client-ca.crt").write_text("")
    ended = serve(tmp_path / "home", "--tls", folder)
    assert ended.code == 2
    assert ended.err.startswith("nbgate: --tls: ")
    for word in words:
        assert word in ended.err


def test_a_taken_port_is_told_at_once_with_the_cure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = time.monotonic()
        ended = serve(tmp_path, "--listen", f"127.0.0.1:{port}")
    assert ended.code == 3
    assert f"127.0.0.1:{port}: Address already in use; end what listens there" in ended.err
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "no-such-host.invalid", "foo..bar", "a b", "[fe80::1%x]"]
)
def test_an_address_that_is_not_this_machine_s_is_the_fault_of_listen(
    tmp_path: Path, host: str
) -> None:
    ended = serve(tmp_path, "--listen", f"{host}:8443")
    assert ended.code in (2, 3)
    assert "--listen" in ended.err
    assert "--tls" not in ended.err


@pytest.mark.parametrize("kind", ["folder", "pipe", "below a file", "/proc"])
def test_an_audit_log_that_cannot_be_written_ends_the_start(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "audit"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "below a file":
        path.touch()
        path /= "log"
    else:
        path = Path("/proc/nbgate/audit")
    ended = serve(tmp_path / "home", "--audit-log", path)
    assert ended.code == 3
    assert f"--audit-log: the audit log {path} cannot be written: " in ended.err


# -- a start with nothing --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, float]]:
    """A server in an empty home, and the seconds that it took to be ready."""
    home = tmp_path_factory.mktemp("fresh")
    started = time.monotonic()
    with RunningServer(home) as running:
        yield running, time.monotonic() - started


def test_an_empty_home_is_ready_within_seconds(fresh: tuple[RunningServer, float]) -> None:
    assert fresh[1] < 10


def test_its_certificate_is_its_own_and_for_this_machine(
    fresh: tuple[RunningServer, float],
) -> None:
    server, _ = fresh
    leaf = describe((server.home / "certs" / "tls.crt").read_bytes())[0]
    assert set(leaf.hosts) == {"localhost", "127.0.0.1", "::1"}
    context = ssl.create_default_context(cafile=str(server.authority))
    for name in ("localhost", "127.0.0.1"):
        with (
            socket.create_connection(("127.0.0.1", server.port), 10) as raw,
            context.wrap_socket(raw, server_hostname=name) as wire,
        ):
            assert wire.version() in ("TLSv1.2", "TLSv1.3")


def test_it_says_where_it_listens_and_where_its_state_is(
    fresh: tuple[RunningServer, float],
) -> None:
    server, _ = fresh
    said = next(json.loads(line) for line in server.log if '"event": "listening"' in line)
    assert said["url"] == f"https://127.0.0.1:{server.port}"
    assert said["tls"] == str(server.home / "certs")
    assert said["policy"] == f"{server.home / 'policy.yaml'} (not there: the default holds)"
    assert said["scans"] == str(server.home / "scans")
    assert said["audit log"] == str(server.home / "audit.jsonl")


def test_it_decides_by_the_default_policy(fresh: tuple[RunningServer, float]) -> None:
    response = fresh[0].review("validate", recorded("create-pods"))
    assert response["allowed"] is False
    assert response["auditAnnotations"]["policy"].startswith("default@")


def test_its_log_is_lines_of_json(fresh: tuple[RunningServer, float]) -> None:
    assert all(json.loads(line)["event"] for line in fresh[0].log)


# -- its end ---------------------------------------------------------------------------------------


def loaded(server: RunningServer) -> int:
    """How many workers have read everything."""
    return sum('"event": "loaded"' in line for line in server.log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_ends_it_with_code_0_and_no_traceback(
    tmp_path: Path, number: signal.Signals, workers: str
) -> None:
    with RunningServer(tmp_path, "--workers", workers) as server:
        server.eventually(lambda: loaded(server) == int(workers), 20, "every worker to be ready")
        server.signal(number)
        assert server.wait(20) == 0
        with pytest.raises(httpx.TransportError):
            server.new_client().get("/livez")
    assert not any("Traceback" in line or '"level": "error"' in line for line in server.log)


@pytest.mark.parametrize("after", [0.0, 0.05, 0.3])
def test_sigterm_while_a_worker_starts_ends_it_with_code_0(tmp_path: Path, after: float) -> None:
    """A file of YAML that was written just now must rest: the worker waits for it, and may be told to end meanwhile."""
    (tmp_path / "scans").mkdir()
    scan = tmp_path / "scans" / "a.yaml"
    scan.write_bytes((EXAMPLES / "scans.yaml").read_bytes())
    log: list[str] = []
    with subprocess.Popen(
        [str(NBGATE), "serve", *FREE],
        env={**own_environment(), "NBGATE_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if "Booting worker" in line:
                os.utime(scan)
                time.sleep(after)
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 0, log[-3:]
    assert not any("Traceback" in line for line in log)


# -- workers ---------------------------------------------------------------------------------------


def test_the_metrics_of_two_workers_add_up(tmp_path: Path) -> None:
    """Each answer to /metrics is some worker's, and tells of all of them."""
    document, asked = recorded("create-pods"), 60
    with RunningServer(tmp_path, "--workers", "2") as server:

        def ask(_: int) -> int:
            with server.new_client() as client:
                return client.post("/validate?timeout=10s", json=document).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(asked))) == {200}
        for _ in range(6):
            with server.new_client() as client:
                assert total(client.get("/metrics").text) == asked
    assert len(server.records()) <= 2  # each worker counts repeated refusals by itself


def total(text: str) -> float:
    lines = re.findall(r"^nbgate_admission_requests_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(map(float, lines))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_is_left_of_it_in_the_folder_for_temporary_files(
    tmp_path: Path, workers: str
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    ended = serve_for(home, 3, "--workers", workers, TMPDIR=str(temporary))
    assert ended.code == 0
    assert list(temporary.iterdir()) == []


def test_a_variable_of_prometheus_changes_nothing(tmp_path: Path) -> None:
    ended = serve_for(tmp_path, 3, PROMETHEUS_MULTIPROC_DIR="/nonexistent")
    assert (ended.code, "Traceback" in ended.err) == (0, False)
    assert '"event": "loaded"' in ended.err


def serve_for(home: Path, seconds: float, *flags: str, **environment: str) -> Ended:
    """Run a server, and end it by SIGTERM."""
    with subprocess.Popen(
        [str(NBGATE), "serve", *FREE, *flags],
        env={**own_environment(), "NBGATE_HOME": str(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(seconds)
        process.terminate()
        out, err = process.communicate(timeout=30)
    return Ended(process.returncode, out, err)


# -- where it listens, and where it writes ---------------------------------------------------------


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


HOSTS = [
    ("localhost", "localhost"),
    ("0.0.0.0", "127.0.0.1"),
    *([("[::1]", "[::1]"), ("[::]", "[::1]")] if has_ipv6() else []),
]


@pytest.mark.parametrize(("host", "asked"), HOSTS)
def test_it_listens_where_it_is_told(tmp_path: Path, host: str, asked: str) -> None:
    with subprocess.Popen(
        [str(NBGATE), "serve", "--listen", f"{host}:0", "--grace", "0"],
        env={**own_environment(), "NBGATE_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        url = next(json.loads(line)["url"] for line in process.stderr if '"listening"' in line)
        trusted = ssl.create_default_context(cafile=str(tmp_path / "certs" / "ca.crt"))
        client = httpx.Client(verify=trusted, timeout=20, trust_env=False)
        answer = client.get(f"https://{asked}:{url.rpartition(':')[2]}/livez")
        client.close()
        process.terminate()
        process.communicate()
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_no_audit_file_is_written_where_none_is_asked_for(tmp_path: Path) -> None:
    with RunningServer(tmp_path, "--audit-log", "none") as server:
        server.review("validate", recorded("create-pods"))
    assert not (tmp_path / "audit.jsonl").exists()
    line = json.loads((tmp_path / "stdout").read_text().splitlines()[0])
    assert line["decision"] == "denied"


def test_an_audit_file_is_written_where_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a" / "log.jsonl"
    with RunningServer(tmp_path, "--audit-log", str(path)) as server:
        server.review("validate", recorded("create-pods"))
        assert json.loads(path.read_text())["decision"] == "denied"
    assert not (tmp_path / "audit.jsonl").exists()


# -- the README ------------------------------------------------------------------------------------


def tried() -> list[str]:
    """The commands of the README's "Try it", in their order."""
    text = (ROOT / "README.md").read_text().partition("## Try it\n")[2].partition("\n## ")[0]
    code = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    return [line.strip() for line in code.replace("\\\n", " ").splitlines()]


def test_what_the_readme_says_to_try_works_in_a_fresh_home(tmp_path: Path) -> None:
    home = tmp_path / ".local" / "share" / "nbgate"
    home.mkdir(parents=True)
    commands = tried()
    assert len(commands) == 11
    ended: list[Ended] = [run(tmp_path, command) for command in commands[:4]]
    with RunningServer(home) as server:
        for command in commands[4:]:
            assert "127.0.0.1:8443" in command or "curl" not in command
            ended.append(
                run(tmp_path, command.replace("127.0.0.1:8443", f"127.0.0.1:{server.port}"))
            )
    refused, imported, listed, admitted, answer, audit, ready, metrics, check, show, again = ended
    assert [one.code for one in ended] == [1, *[0] * 10]
    assert all(one.err == "" for one in ended)
    assert "DENIED" in refused.out
    assert "[unscanned]" in refused.out
    assert imported.out.count("created") == 2
    assert listed.out.count("\n") == 3
    assert "ALLOWED" in admitted.out
    for words in ("/notebook/team-a/my-notebook", "runAsUser: 1000", "@sha256:", "nvidia.com/gpu"):
        assert re.search(rf"^ +\+ .*{re.escape(words)}", admitted.out, re.MULTILINE)
    assert "mountPath: /home/jovyan" in admitted.out
    response = json.loads(answer.out)["response"]
    assert response["allowed"] is False
    assert "nginx" in response["status"]["message"]
    assert "does not work as a notebook" in response["status"]["message"]
    assert "nginx" in audit.out
    assert json.loads(ready.out)["ready"] is True
    assert "nbgate_admission_requests_total" in metrics.out
    assert "fine" in check.out
    assert "first-week" in show.out
    assert "ALLOWED" in again.out


def run(home: Path, command: str) -> Ended:
    """Run a command of the README as a person would, with the program of this environment."""
    words = command.replace(".venv/bin/nbgate", str(NBGATE)).replace("curl ", "curl -sS ")
    done = subprocess.run(
        ["bash", "-c", words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**own_environment(), "HOME": str(home)},
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
