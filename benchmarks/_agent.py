"""What the agent costs a school PC: memory and processor time at its default interval, connected and reporting.

Reference: a Python that has imported nothing and sleeps, measured beside it at the same time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks._server import lay_out
from phongmay.demo.processes import Children, free_port, wait_for_port
from phongmay_contract.units import MIB


def measure(folder: Path, seconds: float) -> dict[str, tuple[float, str]]:
    """Give agent_rss_mib and agent_cpu_s_per_hour."""
    port = free_port()
    config, (identity,) = lay_out(folder, port, 1)
    state = folder / "identity.json"
    broker = {"host": identity.broker_host, "port": identity.broker_port}
    state.write_text(
        json.dumps({"device_id": identity.device_id, "secret": identity.secret, "broker": broker}), "utf-8"
    )
    state.chmod(0o600)
    settings = folder / "agent.toml"
    settings.write_text(
        f'identity_file = "{state}"\nspool_file = "{folder}/spool.db"\n'
        f'[reach]\ngateway = "off"\ndns = "off"\ndistrict = "tcp://127.0.0.1:{port}"\n',
        "utf-8",
    )
    children = Children(folder)
    idle = subprocess.Popen([sys.executable, "-I", "-S", "-c", f"import time; time.sleep({seconds + 60})"])
    try:
        children.start("broker", ["phongmay", "--config", str(config), "broker", "run"])
        wait_for_port(port, children)
        children.start("collector", ["phongmay", "--config", str(config), "collector", "run"])
        agent = children.start("agent", ["phongmay_agent", "--config", str(settings), "run"])
        time.sleep(5.0)
        process = psutil.Process(agent.process.pid)
        begin, start = _cpu(process), time.monotonic()
        time.sleep(seconds)
        children.check()
        used, wall = _cpu(process) - begin, time.monotonic() - start
        memory, floor = process.memory_info().rss, psutil.Process(idle.pid).memory_info().rss
    finally:
        children.stop_all()
        idle.terminate()
        idle.wait(10)
    per_hour = used / wall * 3600
    return {
        "agent_rss_mib": (memory / MIB, f"idle Python: {floor / MIB:.1f} MiB; ratio {memory / floor:.1f}"),
        "agent_cpu_s_per_hour": (per_hour, f"{used:.2f} CPU-s in {wall:.0f} s after the start; idle Python: 0"),
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
