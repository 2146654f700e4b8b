"""How a start went wrong, in words that lead to the cure."""

from webhook.scanner.probes.observation import Run


def how(run: Run) -> str:
    """Tell how one start ended without an answer on 8888: a clause."""
    match run.ending:
        case "refused":
            return f"it could not be started: {run.reason or 'the runtime gives no reason'}"
        case "exited":
            return f"it {_exit(run)} before anything answered on 8888{_last_words(run)}"
        case _:
            return _silence(run)


def _exit(run: Run) -> str:
    reason = f" ({run.reason})" if run.reason else ""
    return (
        f"exited{reason}" if run.exit_code is None else f"exited with code {run.exit_code}{reason}"
    )


def _silence(run: Run) -> str:
    if run.loopback:
        return "its server listens on 127.0.0.1:8888 only: make it listen on 0.0.0.0"
    if run.reason:
        return f"{run.reason}{_last_words(run)}"
    if run.listening:
        ports = ", ".join(str(port) for port in run.listening[:5])
        return f"it listens on {ports}, not on 8888: set its port to 8888"
    return f"nothing answered on 8888 within {run.seconds:.0f} s{_last_words(run)}"


def _last_words(run: Run) -> str:
    last = next((line for line in reversed(run.log) if line.strip()), "")
    return f"; its last words: {last}" if last else ""
