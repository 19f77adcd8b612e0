"""The machine itself: what the other system tests stand on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from machine import Machine, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"a machine with its own systemd: {why_not()}")


def test_it_boots_with_nothing_failed_and_leaves_nothing_behind() -> None:
    with Machine() as machine:
        assert machine.run("systemctl", "--failed", "--no-legend").stdout == ""
        assert machine.run("cat", "/proc/1/comm").stdout == "systemd\n"
        machine.write("/etc/only-inside", "x")
        init, folder = machine.init, machine.folder
    assert not Path("/etc/only-inside").exists()
    assert not Path(f"/proc/{init}").exists() and not folder.exists()
    assert not any(folder.name in line for line in Path("/proc/self/mountinfo").read_text().splitlines())


def test_its_network_is_its_own() -> None:
    with Machine() as machine:
        assert "LOOPBACK,UP" in machine.run("ip", "-o", "link").stdout
        assert machine.run("ip", "-o", "link").stdout.count("\n") == 1
        with machine.network():
            inside = os.readlink("/proc/thread-self/ns/net")
        assert inside != os.readlink("/proc/thread-self/ns/net")
