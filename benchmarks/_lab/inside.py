"""The lab from within its namespaces: `unshare ... python -m benchmarks._lab.inside`, spoken to by lines of JSON.

First line in: {"folder", "pcs", "lines", "down_ms", "up_ms", "tun", "pulled"}. Then requests {"do": name, ...}; each
gets one line {"ok": ...} or {"error": text}. Ends, with all that it started, when its standard input ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._lab import network
from benchmarks._lab.coordinator import Coordinator
from benchmarks._lab.forwarder import enter
from phongmay_bandwidth.analysis import analyse
from phongmay_bandwidth.order import RunKind, RunOrder
from phongmay_bandwidth.planning import RunPlan, make_orders
from phongmay_bandwidth.result import ParticipantResult
from phongmay_bandwidth.ticket import Purpose
from phongmay_bandwidth.verdict import Expected, LineContract, RunAnalysis, Witness
from phongmay_contract import keys

BROKER_PORT, BANDWIDTH_PORT, SINK_PORT = 1883, 7800, 9
_SEED = 20261128


class Inside:
    """One lab."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.folder = Path(spec["folder"])
        self.pcs, self.lines, self.tun = int(spec["pcs"]), int(spec["lines"]), bool(spec["tun"])
        self.pulled = int(spec.get("pulled", 0))
        self.key = secrets.token_bytes(32)
        self.chance = random.Random(_SEED)
        self.processes: list[subprocess.Popen[Any]] = []
        network.build(self.pcs, self.lines, tun=self.tun, pulled=self.pulled)
        for line in range(self.lines if self.tun else 0):
            self._start("benchmarks._lab.forwarder", str(line), str(spec["down_ms"]), str(spec["up_ms"]), ready=True)
        self.devices = [f"pc-{index:03}" for index in range(self.pcs)]
        self.secrets = {device: keys.new_secret() for device in self.devices}
        self.clock_off = {device: self.chance.uniform(-2, 2) for device in self.devices}
        self.last_run = ""
        (self.folder / "key").write_text(self.key.hex())
        config = self.folder / "bandwidth.toml"
        config.write_text(
            f'[bandwidth]\nhost = "{network.SERVER}"\nport = {BANDWIDTH_PORT}\nkey_file = "{self.folder}/key"\n'
            "uplink_bps = 1e10\n"
        )
        self.server = self._start("phongmay_bandwidth", "run", "--config", str(config))
        self._start_broker()
        self.coordinator = Coordinator(network.SERVER, BROKER_PORT, self.secrets)
        self._start_agents()

    # ---- processes ----------------------------------------------------------------------------------------------

    def _start(self, *arguments: str, ready: bool = False, own: bool = True) -> subprocess.Popen[Any]:
        """Start a program of the lab; where that is allowed, before the PCs: in the field they are other machines."""
        command = [sys.executable, "-m", *arguments] if own else list(arguments)
        with (self.folder / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE if ready else log, stderr=log
            )
        self.processes.append(process)
        if "fleet" not in " ".join(arguments):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, -10)
        if ready and process.stdout is not None and process.stdout.readline().strip() != b"ready":
            raise RuntimeError(f"{arguments}: {(self.folder / 'processes.log').read_text()}")
        return process

    def _start_broker(self) -> None:
        """Mosquitto as in the field, but without passwords: who may do what is tested elsewhere."""
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {BROKER_PORT} {network.SERVER}\nallow_anonymous true\nuser root\n")
        self._start("mosquitto", "-c", str(config), own=False)
        for port in (BROKER_PORT, BANDWIDTH_PORT):
            end = time.monotonic() + 20
            while True:
                with contextlib.suppress(OSError), socket.create_connection((network.SERVER, port), 1):
                    break
                if time.monotonic() > end:
                    raise RuntimeError(f"port {port}: {(self.folder / 'processes.log').read_text()}")
                time.sleep(0.05)

    def _start_agents(self) -> None:
        specs = [
            {
                "device": device,
                "secret": self.secrets[device],
                "namespace": f"pc{index}",
                "broker": network.SERVER,
                "port": BROKER_PORT,
                "off_s": self.clock_off[device],
            }
            for index, device in enumerate(self.devices)
        ]
        path = self.folder / "fleet.json"
        path.write_text(json.dumps(specs))
        for line in range(self.lines):
            network.shape(line, 1e9, 1e9, tun=self.tun)
        self.fleet = self._start("benchmarks._lab.fleet", str(path), ready=True)
        self.coordinator.wait_for(self.devices)

    def close(self) -> None:
        """End everything."""
        self.coordinator.close()
        if self.fleet.stdin is not None:
            self.fleet.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.fleet.wait(10)
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
                process.wait()

    # ---- requests -----------------------------------------------------------------------------------------------

    def shape(self, down_bps: float, up_bps: float, queue_s: float = 0.1) -> dict[str, Any]:
        """Shape every line."""
        for line in range(self.lines):
            network.shape(line, down_bps, up_bps, tun=self.tun, queue_s=queue_s)
        return {}

    def run(
        self,
        kind: str = "floor",
        present: int = 0,
        registered: int = 0,
        unsynchronised: bool = False,
        cross_bps: float = 0.0,
        lead_s: float = 2.5,
        directions: tuple[str, ...] = ("down", "up"),
        lines: list[dict[str, Any]] | None = None,
        failover: bool = False,
        usual: tuple[tuple[str, ...], ...] = (),
        **plan_changes: Any,
    ) -> dict[str, Any]:
        """Run one test and analyse it."""
        devices = self.devices[: present or self.pcs]
        plan = RunPlan(
            run=f"run-{secrets.token_hex(6)}",
            kind=RunKind(kind),
            host=network.SERVER,
            port=BANDWIDTH_PORT,
            start=time.time() + lead_s + plan_changes.get("idle_s", 1.0),
            registered=registered or len(devices),
            directions=tuple(Purpose(name) for name in directions),
            abort_on_input=False,
            **{"idle_s": 1.0, **plan_changes},
        )
        orders = self._orders(plan, devices, unsynchronised=unsynchronised)
        witness: dict[str, tuple[int, ...]] = {}
        watchers = [threading.Thread(target=self._watch, args=(plan, direction, start, witness))
                    for direction, start in plan.starts().items()]  # fmt: skip
        if cross_bps:
            watchers.append(threading.Thread(target=self._cross, args=(plan, cross_bps)))
        for watcher in watchers:
            watcher.start()
        self.last_run = plan.run
        self.coordinator.order(orders)
        length = max(plan.starts().values()) - time.time() + plan.warmup_s + plan.window_max_s
        results = self.coordinator.results(plan.run, devices, length + 12 + (3 if unsynchronised else 0))
        report = self.coordinator.report(network.SERVER, BANDWIDTH_PORT, self.key, plan.run)
        for watcher in watchers:
            watcher.join()
        contracts = [LineContract(one["line"], tuple(one["sources"]), one.get("down", 0.0), one.get("up", 0.0))
                     for one in lines or []]  # fmt: skip
        fixed = plan.paced or not plan.adaptive  # otherwise the window is known afterwards only
        witnesses = [Witness(direction, seen[0 if direction == "down" else 1], plan.window_max_s)
                     for direction, seen in witness.items() if fixed]  # fmt: skip
        expected = [Expected(device, "", device in orders) for device in self.devices]
        found = analyse(plan, expected, report, results, contracts, witnesses, failover=failover, usual=usual)
        record = self._summary(found, results, report.limits)
        record["last_pc_received_bps"] = {name: seen[2] * 8 / plan.window_max_s for name, seen in witness.items()}
        return record

    def _orders(self, plan: RunPlan, devices: list[str], *, unsynchronised: bool) -> dict[str, RunOrder]:
        if not unsynchronised:
            return make_orders(plan, devices, self.key, time.time())
        found: dict[str, RunOrder] = {}
        for device in devices:  # each PC starts when its own wrong clock says so
            own = replace(plan, start=plan.start + 2 + self.clock_off[device])
            orders = make_orders(own, devices, self.key, time.time())
            found[device] = orders[device]
        return found

    def _watch(self, plan: RunPlan, direction: str, start: float, seen: dict[str, tuple[int, ...]]) -> None:
        """Read the router's counters at both ends of a window."""
        readings = []
        for moment in (start + plan.warmup_s, start + plan.warmup_s + plan.window_max_s):
            time.sleep(max(0.0, moment - time.time()))
            both = [network.counters(line, tun=self.tun) for line in range(self.lines)]
            foreign = network.received_by(self.pcs - 1)
            readings.append((sum(one[0] for one in both), sum(one[1] for one in both), foreign))
        seen[str(direction)] = tuple(after - before for before, after in zip(*readings, strict=True))

    def _cross(self, plan: RunPlan, rate_bps: float) -> None:
        """Let somebody else send UDP to the last PC, which does not take part, while the run goes on."""
        end = max(plan.starts().values()) + plan.warmup_s + plan.window_max_s + 0.5
        target = network.address_of(self.pcs - 1, self.lines, self.pulled)
        self._start("benchmarks._lab.foreign", target, str(SINK_PORT), str(rate_bps), str(end - time.time())).wait()

    def _summary(
        self, found: RunAnalysis, results: dict[str, ParticipantResult], limits: tuple[str, ...]
    ) -> dict[str, Any]:
        record = found.to_record()
        offsets = [result.clock_offset_s - self.clock_off[device] for device, result in results.items()
                   if result.clock_offset_s is not None]  # fmt: skip
        record["offset_errors_s"] = offsets
        record["results"] = len(results)
        record["limits"] = list(limits)
        record["rtts_s"] = [result.clock_rtt_s for result in results.values()]
        record["events"] = self.coordinator.events
        for figures in record["directions"]:
            del figures["bins"]
        for line in record["lines"]:
            for figures in line["directions"]:
                del figures["bins"]
        return record

    def abort_during(self, after_s: float, **run: Any) -> dict[str, Any]:
        """Run a test, and let the coordinator end it by commands after a while."""
        timer = threading.Timer(after_s, lambda: self.coordinator.abort(self.last_run, self.devices))
        timer.start()
        try:
            return self.run(**run)
        finally:
            timer.cancel()

    def flood(self, seconds: float = 10.0) -> dict[str, Any]:
        """Let one PC publish as fast as it can for a while, beside whatever else goes on."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _flood(self.devices[0], self.pcs - 1, seconds)
                code = 0
            finally:
                os._exit(code)
        threading.Thread(target=os.waitpid, args=(child, 0), daemon=True).start()
        return {}

    def usage(self) -> dict[str, Any]:
        """End the agents and give what each has used."""
        if self.fleet.stdin is not None:
            self.fleet.stdin.close()
        self.fleet.wait(20)
        found = [json.loads(path.read_text()) for path in sorted(self.folder.glob("pc-*.json"))]
        return {"cpu_s": sum(one["cpu_s"] for one in found), "grew_kib": [one["grew_kib"] for one in found]}


def _flood(device: str, pc: int, seconds: float) -> None:
    """Publish events without rest from a PC's namespace."""
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    enter(f"pc{pc}")
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"flood-{device}")
    client.connect(network.SERVER, BROKER_PORT)
    client.loop_start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            client.publish(f"phongmay/v1/flood-{device}/event", b"x" * 1000, qos=0)
        time.sleep(0.01)


def main() -> None:
    """Serve requests until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lab: Inside | None = None
    try:
        for text in sys.stdin:
            request = json.loads(text)
            try:
                if lab is None:
                    lab = Inside(request)
                    answer: dict[str, Any] = {}
                else:
                    answer = getattr(lab, request.pop("do"))(**request)
                print(json.dumps({"ok": answer}), file=out, flush=True)
            except Exception:  # noqa: BLE001 # whatever it is, the one outside is told
                print(json.dumps({"error": traceback.format_exc()}), file=out, flush=True)
    finally:
        if lab is not None:
            lab.close()


if __name__ == "__main__":
    main()
