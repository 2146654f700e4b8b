"""How a start went wrong, in words that lead to the cure."""

from webhook.core.words import cut
from webhook.scanner.probes.observation import Run

_WORDS_LIMIT = (
    120  # of a reason or of last words: what leads to the cure must have room beside them
)


def how(run: Run) -> str:
    """Tell how one start ended without an answer on 8888: a clause."""
    match run.ending:
        case "refused":
            reason = cut(run.reason, _WORDS_LIMIT) or "the runtime gives no reason"
            return f"it could not be started: {reason}"
        case "exited":
            return f"it {_exit(run)} before anything answered on 8888"
        case _:
            return _silence(run)


def last_words(run: Run) -> str:
    """Give the last line that it wrote, as a clause; empty where there is none, or it tells nothing of the failure."""
    if run.ending == "refused" or run.loopback:
        return ""
    last = next((line for line in reversed(run.log) if line.strip()), "")
    return f"its last words: {cut(last.strip(), _WORDS_LIMIT)}" if last else ""


def _exit(run: Run) -> str:
    reason = f" ({run.reason})" if run.reason else ""
    return (
        f"exited{reason}" if run.exit_code is None else f"exited with code {run.exit_code}{reason}"
    )


def _silence(run: Run) -> str:
    if run.loopback:
        return "its server listens on 127.0.0.1:8888 only: make it listen on 0.0.0.0"
    if run.reason:
        return cut(run.reason, _WORDS_LIMIT)
    if run.listening:
        ports = ", ".join(str(port) for port in run.listening[:5])
        return f"it listens on {ports}, not on 8888: set its port to 8888"
    return f"nothing answered on 8888 within {run.seconds:.0f} s"
