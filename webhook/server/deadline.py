"""The API server's patience, as its `?timeout=` tells it."""

import re
from functools import lru_cache

# It rounds what is left up to whole seconds (k8s.io/apiserver, webhook dispatchers), so up to a second of it may not be
# there; half is kept back, for the answer's way too.
KEPT_BACK_SECONDS = 0.5
_TIMEOUT = re.compile(r"(?:^|&)timeout=([^&]*)")
# Go's time.Duration, as far as whole timeouts go: "10s", "1m30s"
_DURATION = re.compile(r"(?:[0-9]{1,5}(?:\.[0-9]{1,9})?(?:h|ms|m|s)){1,4}")
_PART = re.compile(r"([0-9.]+)(h|ms|m|s)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


# a cluster's API servers send the same few again and again; the parser bounds how long a query is
@lru_cache(maxsize=64)
def parse_timeout(query: str) -> float | None:
    """Read the timeout of a query string into seconds, None where there is none. Raises ValueError with the cure."""
    named = _TIMEOUT.search(query)
    if named is None:
        return None
    if not _DURATION.fullmatch(named[1]):
        raise ValueError('timeout must be a duration like "10s"')
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(named[1]))


def is_late(timeout: float | None, waited: float) -> bool:
    """Tell whether an answer would come too late: `waited` seconds have passed since the request was whole."""
    return timeout is not None and waited > max(timeout - KEPT_BACK_SECONDS, 0.0)
