"""What the participant asks the PC that it runs on; None is "not told by this system". The agent has the real one."""

from __future__ import annotations

from typing import Protocol


class Machine(Protocol):
    """One PC."""

    def interface_bytes(self) -> tuple[int, int] | None:
        """Give bytes received and sent by all interfaces but the loopback, since start."""
        ...

    def input_idle_s(self) -> float | None:
        """Give the seconds since a person last used keyboard or mouse."""
        ...

    def on_battery(self) -> bool | None:
        """Tell whether it runs on its battery."""
        ...

    def cpu_busy_ratio(self) -> float | None:
        """Give the share of processor time in use since the last call."""
        ...

    def link(self) -> tuple[str, int | None]:
        """Give medium (wired, wireless, unknown) and speed in bit/s of the interface to the Internet."""
        ...


class UnknownMachine:
    """A PC of which nothing is known: nothing aborts but an order."""

    def interface_bytes(self) -> tuple[int, int] | None:
        """Give nothing."""
        return None

    def input_idle_s(self) -> float | None:
        """Give nothing."""
        return None

    def on_battery(self) -> bool | None:
        """Give nothing."""
        return None

    def cpu_busy_ratio(self) -> float | None:
        """Give nothing."""
        return None

    def link(self) -> tuple[str, int | None]:
        """Give nothing."""
        return "unknown", None
