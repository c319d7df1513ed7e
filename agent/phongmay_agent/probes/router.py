"""The probe `router`: WAN counters of the school's router, asked by SNMP in a child process (`gateway.snmp_child`).

One group for each WAN interface with the router as subject, parts wan, wan2 ... in the order of the settings. A router
that is silent, an interface that it does not have, one without 64-bit counters: a failure of the probe with one fixed
word, and no group, so that "unknown" stays unknown. A child that hangs, or that is told nothing and whose secrets have
changed in their files since, is ended and started anew at the next round.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from typing import IO, Any

from phongmay_agent.gateway.credentials import CredentialsError, credentials
from phongmay_agent.probes.base import NoData, ProbeError
from phongmay_agent.settings import RouterSettings
from phongmay_contract.catalogue import Cadence
from phongmay_contract.envelope import Group

_GRACE_S = 5.0
"""What a child may take beyond the router's own timeout: it imports its library first."""


class RouterProbe:
    """Asks one router."""

    name = "router"
    cadence = Cadence.ROUND
    gives = ("router",)

    def __init__(self, settings: RouterSettings, command: tuple[str, ...] = ()) -> None:
        """Prepare; the child is started by the first round.

        Args:
            settings: the table [router].
            command: the child's command line, by default this interpreter's module.
        """
        self._settings = settings
        self._command = command or (sys.executable, "-m", "phongmay_agent.gateway.snmp_child")
        self._child: subprocess.Popen[str] | None = None
        self._secrets: dict[str, str] = {}
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def measure(self) -> list[Group]:
        """Ask now.

        Raises:
            NoData: no router is configured.
            ProbeError: it does not tell.
        """
        settings = self._settings
        if not settings.host:
            raise NoData
        try:
            answer = self._ask()
        except CredentialsError:
            raise ProbeError("secret_cannot_be_read") from None
        except (OSError, ValueError, queue.Empty):
            self.close()
            raise ProbeError("no_answer") from None
        if isinstance(answer, dict):
            if self._has_new_secrets():
                self.close()
            raise ProbeError(str(answer.get("error", "bad_answer"))[:60])
        return [
            Group("router", values, subject=settings.device, part="wan" if number == 1 else f"wan{number}")
            for number, values in enumerate(answer, 1)
        ]

    def _ask(self) -> Any:
        child = self._child
        if child is None or child.poll() is not None:
            child = self._start()
        assert child.stdin is not None  # noqa: S101 # a pipe was asked for
        child.stdin.write("ask\n")
        child.stdin.flush()
        return json.loads(self._answers.get(timeout=2 * self._settings.timeout_s + _GRACE_S))

    def _start(self) -> subprocess.Popen[str]:
        settings = self._settings
        self._secrets = credentials(settings)
        spec = {"host": settings.host, "port": settings.port, "interfaces": settings.interfaces,
                "timeout_s": settings.timeout_s, **self._secrets}  # fmt: skip
        child = subprocess.Popen(  # noqa: S603 # this interpreter's own module
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._child = child
        self._answers = queue.SimpleQueue()
        assert child.stdin is not None  # noqa: S101 # pipes were asked for
        assert child.stdout is not None  # noqa: S101
        threading.Thread(target=_read, args=(child.stdout, self._answers), daemon=True).start()
        child.stdin.write(json.dumps(spec) + "\n")
        return child

    def _has_new_secrets(self) -> bool:
        try:
            return credentials(self._settings) != self._secrets
        except CredentialsError:
            return True  # told at the next round

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()


def _read(stream: IO[str], answers: queue.SimpleQueue[str]) -> None:
    """Hand over what a child says until it ends, and then an end that is no JSON."""
    try:
        for line in stream:
            answers.put(line)
    except ValueError:  # closed while it was read
        return
    answers.put("")
