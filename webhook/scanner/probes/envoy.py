"""The program that lives in a container's network and hands out sockets from there; standard library only.

    python -m webhook.scanner.probes.envoy

It makes a network of its own with nothing in it but a loopback interface, which has one further address that is none of
127.0.0.0/8: what a server must listen on to be reached from outside its Pod. A container that joins this network
reaches nothing and nobody. Its standard input is a socket: it says its process id there once all is ready, then sends
one socket for each byte that comes, and ends with the other end, and its network with it.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

# A private address that podman's own default network does not use as a gateway.
ADDRESS = "10.88.88.88"

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFFLAGS = 0x8916, 0x891C, 0x8914  # linux/sockios.h
_IFF_UP_LOOPBACK_RUNNING = 0x49  # linux/if.h


def main() -> int:
    """Serve sockets until nobody wants any."""
    with socket.socket(fileno=0) as channel:
        try:
            _enter_network()
        except OSError as error:
            channel.sendall(f"no network namespace: {error.strerror}\n".encode())
            return 1
        channel.sendall(f"{os.getpid()}\n".encode())
        while channel.recv(1):
            with socket.socket() as offered:
                socket.send_fds(channel, [b"s"], [offered.fileno()])
    return 0


def _enter_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare comes with Python 3.12
    if libc.unshare(_CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _configure(control, _SIOCSIFFLAGS, "lo", struct.pack("=h", _IFF_UP_LOOPBACK_RUNNING))
        _configure(control, _SIOCSIFADDR, "lo:1", _address(ADDRESS))
        _configure(control, _SIOCSIFNETMASK, "lo:1", _address("255.255.255.255"))


def _configure(control: socket.socket, request: int, name: str, value: bytes) -> None:
    fcntl.ioctl(control, request, struct.pack("=16s24s", name.encode(), value))  # struct ifreq


def _address(text: str) -> bytes:
    return struct.pack("=H2x4s8x", socket.AF_INET, socket.inet_aton(text))  # struct sockaddr_in


if __name__ == "__main__":
    sys.exit(main())
