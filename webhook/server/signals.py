"""Signals that gunicorn has a meaning for, and nbgate does not."""

import signal

# Reload, upgrade, more and fewer workers, reopening logs: what changes is taken without any of them, and a reload
# would end the server while a file that it needs is broken.
IGNORED_SIGNALS = (
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
)
