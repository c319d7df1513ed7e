"""A router that answers SNMP: snmpsim on a free loopback port, with counters that grow at a steady rate.

Needs snmpsim (development packages) only. What cannot be started fails the test with the simulator's own words.
"""

from __future__ import annotations

import getpass
import grp
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Wan:
    """An interface: its names, counters at the start and what they grow by in a second."""

    index: int
    name: str
    alias: str = ""
    received: int = 2**40
    sent: int = 5000
    received_rate: int = 1_000_000
    """0 stands still, to the last byte."""
    sent_rate: int = 200_000
    is_wide: bool = True
    """It has 64-bit counters."""
    tells_state: bool = True

    def lines(self) -> list[str]:
        """Give its records."""
        two, ifx = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
        out = [
            f"{two}.2.{self.index}|4|{self.name} description",
            *([f"{two}.8.{self.index}|2|1"] if self.tells_state else []),
            f"{ifx}.1.{self.index}|4|{self.name}", f"{ifx}.15.{self.index}|66|300",
            f"{ifx}.18.{self.index}|4|{self.alias}", f"{ifx}.19.{self.index}|67|1200",
        ]  # fmt: skip
        if self.is_wide:
            out += [
                f"{ifx}.{column}.{self.index}|70" + (f":numeric|rate={rate},initial={count}" if rate else f"|{count}")
                for column, count, rate in ((6, self.received, self.received_rate), (10, self.sent, self.sent_rate))
            ]
        return out


@dataclass(frozen=True)
class User:
    """A user of SNMP 3, in the simulator's words: protocols MD5, SHA256 ..., DES, AES ...; NONE for none."""

    name: str = "phongmay"
    auth: str = "SHA"
    auth_key: str = "sign-sign-sign"
    privacy: str = "AES"
    privacy_key: str = "hide-hide-hide"

    def options(self) -> list[str]:
        """Give the simulator's options."""
        found = ["--v3-engine-id=auto", f"--v3-user={self.name}"]
        if self.auth != "NONE":
            found += [f"--v3-auth-proto={self.auth}", f"--v3-auth-key={self.auth_key}"]
        if self.privacy != "NONE":
            found += [f"--v3-priv-proto={self.privacy}", f"--v3-priv-key={self.privacy_key}"]
        return found


def free_udp_port() -> int:
    """Give a port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class SnmpRouter:
    """One router; started and ended as often as a test wants."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port or free_udp_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self, *wans: Wan, uptime_s: float = 5000, community: str = "public", user: User | None = None
    ) -> None:  # fmt: skip
        """Start it, for SNMP 2c with a community or for a user of SNMP 3; returns when it answers."""
        folder = self._folder / f"snmp-{time.monotonic_ns()}"
        for name in ("data", "cache"):
            (folder / name).mkdir(parents=True)
        records = [f"1.3.6.1.2.1.1.3.0|67:numeric|rate=100,initial={uptime_s * 100:.0f}"]
        records += [line for wan in wans for line in wan.lines()]
        by_number = sorted(records, key=lambda line: [int(piece) for piece in line.split("|")[0].split(".")])
        name = "" if user else community  # in SNMP 3 it is the name of the context, which is empty on most routers
        (folder / "data" / f"{name}.snmprec").write_text("\n".join(by_number) + "\n")
        log = folder / "log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name("snmpsim-command-responder")), *(user.options() if user else []),
                 f"--data-dir={folder / 'data'}", f"--cache-dir={folder / 'cache'}",
                 f"--agent-udpv4-endpoint=127.0.0.1:{self.port}",
                 *([f"--process-user={getpass.getuser()}", f"--process-group={grp.getgrgid(os.getgid()).gr_name}"]
                   if os.getuid() == 0 else [])],
                stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE_S
        while b"Listening" not in log.read_bytes():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(PATIENCE_S)
