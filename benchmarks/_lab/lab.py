"""The lab from outside: starts it in namespaces of its own, asks it, ends it.

`Lab(...)` raises LabUnavailable with the reason where the machine cannot have one; a request that fails inside raises
RuntimeError with the inner traceback.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from phongmay_contract.errors import OperatorError

ROOT = Path(__file__).resolve().parents[2]
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin"


class LabUnavailable(OperatorError):
    """This machine cannot have a lab."""


def why_not(*, user_namespace: bool) -> str:
    """Give the reason why there can be no lab, "" if there can."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    for program, package in (
        ("ip", "iproute2"),
        ("tc", "iproute2"),
        ("unshare", "util-linux"),
        ("mosquitto", "mosquitto"),
    ):
        if shutil.which(program, path=_PATH) is None:
            return f"{program} is not installed: apt install {package}"
    test = [*_unshare(user_namespace=user_namespace), "sh", "-c",
            "mount -t tmpfs none /run && ip netns add a && ip link add x type veth peer name y && "
            "tc qdisc add dev x root tbf rate 1mbit burst 15000 limit 30000"]  # fmt: skip
    done = subprocess.run(test, check=False, capture_output=True, text=True, env={**os.environ, "PATH": _PATH})
    return f"no namespaces here: {done.stderr.strip()[:200]}" if done.returncode else ""


def has_tun() -> bool:
    """Tell whether this user may open TUN devices, which the delay stage needs."""
    return os.access("/dev/net/tun", os.R_OK | os.W_OK)


def _unshare(*, user_namespace: bool) -> list[str]:
    return ["unshare", *(["-Ur"] if user_namespace else []), "-nm", "--kill-child"]


class Lab:
    """One school; used as a context."""

    def __init__(
        self,
        pcs: int,
        lines: int = 1,
        down_ms: float = 5.0,
        up_ms: float = 5.0,
        *,
        delayed: bool = True,
        pulled: int = 0,
        user_namespace: bool | None = None,
    ) -> None:
        """Build it; wait until every agent is heard.

        Args:
            pcs: how many PCs.
            lines: how many lines to the Internet.
            down_ms: delay of the way down.
            up_ms: delay of the way up.
            pulled: so many lines, the first ones, are pulled out: the balancer sends every PC over those that are left.
            delayed: with the delay stage, where the machine allows it; without it the lines carry more than 300 Mbit/s.
            user_namespace: an unprivileged user namespace; by default wherever this is not root.
        """
        inner = os.geteuid() != 0 if user_namespace is None else user_namespace
        if reason := why_not(user_namespace=inner):
            raise LabUnavailable(f"lab: {reason}")
        self.folder = Path(tempfile.mkdtemp(prefix="phongmay-lab-"))
        self.tun = delayed and has_tun()
        with (self.folder / "inside.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_unshare(user_namespace=inner), sys.executable, "-m", "benchmarks._lab.inside"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
                env={**os.environ, "PATH": _PATH},
            )  # fmt: skip
        try:
            self._ask({"folder": str(self.folder), "pcs": pcs, "lines": lines, "down_ms": down_ms, "up_ms": up_ms,
                       "tun": self.tun, "pulled": pulled})  # fmt: skip
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __getattr__(self, name: str) -> Any:
        """Give a request of `inside.Inside` as a function."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda **arguments: self._ask({"do": name, **arguments})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        text = self._process.stdout.readline()
        if not text:
            raise RuntimeError(f"the lab ended: {(self.folder / 'inside.log').read_text()[-2000:]}")
        answer = json.loads(text)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        found: dict[str, Any] = answer["ok"]
        return found
