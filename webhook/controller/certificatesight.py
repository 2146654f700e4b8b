"""Which certificate a replica serves, seen by connecting to it."""

import hashlib
import socket
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from certs.rotationsteps import Endpoint
from webhook.core.words import cut

# Address and port in, the fingerprint of the leaf out; raises OSError.
Sight: TypeAlias = Callable[[str, int], str]

# A replica in the same cluster answers within milliseconds; one that does not in so long is not well.
_SECONDS = 3.0
_AT_ONCE = 8


def served_leaf(address: str, port: int, server_name: str) -> str:
    """Give the SHA-256 of the certificate that a server shows for a name, in lower-case hex. Raises OSError.

    Nothing is verified: it is to be found out what is served, also when nobody should trust it; and nothing is said.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, port), timeout=_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=server_name) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    return hashlib.sha256(shown or b"").hexdigest()


def see_all(addresses: Iterable[tuple[str, int]], sight: Sight) -> tuple[Endpoint, ...]:
    """Look at every replica, some at a time; one that cannot be seen hides no other."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="nbgate-sight") as pool:
        return tuple(pool.map(lambda place: _see(place[0], place[1], sight), addresses))


def _see(address: str, port: int, sight: Sight) -> Endpoint:
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        return Endpoint(address=place, leaf=sight(address, port))
    except OSError as error:
        why = cut(error.strerror or str(error) or type(error).__name__, 100)
        return Endpoint(
            address=place,
            problem=f"cannot be seen ({why}; does a NetworkPolicy let the controller connect to it?)",
        )
