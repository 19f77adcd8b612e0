"""A network of one's own with nothing but loopback: no port is taken there, and nothing leads outside."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
LIBC = ctypes.CDLL(None, use_errno=True)


def why_not() -> str | None:
    """What is missing to make one; nil when it can be made."""
    return None if os.geteuid() == 0 else "a network namespace needs root"


def enter(namespace: int) -> None:
    """setns(2) for this thread."""
    if LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Sockets and processes that this thread makes meanwhile belong to that network, also afterwards."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(namespace)
        yield
    finally:
        enter(before)
        os.close(before)


@contextlib.contextmanager
def private() -> Iterator[None]:
    """A new network for the length of the block, its loopback up."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if LIBC.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            name = struct.pack("16sh14x", b"lo", 0)
            flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, name))[1]
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
        yield
    finally:
        enter(before)
        os.close(before)


@contextlib.contextmanager
def swallowing(port: int) -> Iterator[None]:
    """A loopback port on which connections are neither accepted nor refused: its backlog is full."""
    with contextlib.ExitStack() as held:
        door = held.enter_context(socket.create_server(("127.0.0.1", port), backlog=0))
        for _ in range(4):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(door.getsockname())
        yield
