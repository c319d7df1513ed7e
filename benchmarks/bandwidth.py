"""`scripts/bench bandwidth PART ...`: the concurrent test against lines of known rate, and its loops against bare ones.

Parts (each under three minutes; all of them without an argument): capacity50 capacity100 capacity300 pcs100 clock
curve[:RUNS] adaptive cross lines controls loops. Needs Linux with namespaces, iproute2, Mosquitto (`benchmarks/_lab`).
Errors are goodput x 1500/1448 against the shaped rate of IP packets. Last line: one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import _bandwidth_loops
from benchmarks._arguments import Arguments
from benchmarks._lab.lab import Lab
from benchmarks._lab.network import network_of
from phongmay_bandwidth import IP_BYTES_PER_PAYLOAD

PCS = 40
_CURVE_PCS = 10
"""Four schools run at once on two cores; their PCs' own work must not be the limit."""
_CURVE_SHARES = (0.90, 0.97, 1.03, 1.10)
_MBIT = 1e6
_DELAYED_MBIT = 100
"""Faster lines are measured without the delay stage, which is a Python loop a packet and would be the limit itself."""


def _errors(run: dict[str, Any], down_bps: float, up_bps: float) -> dict[str, float]:
    """Give the error of each direction as a share."""
    shaped = {"down": down_bps, "up": up_bps}
    return {figures["direction"]: figures["ip_bps"] / shaped[figures["direction"]] - 1 for figures in run["directions"]}


def _say(title: str, run: dict[str, Any], **more: Any) -> None:
    rates = "  ".join(
        f"{f['direction']} {f['ip_bps'] / _MBIT:8.2f} Mbit/s (window {f['window_s']:.2f} s, {f['stop_reason']})"
        for f in run["directions"]
    )
    extra = "  ".join(f"{key} {value}" for key, value in more.items())
    print(f"{title:<28} {rates}  valid {run['valid']}/{run['ordered']}  {run['verdict']} {extra}", flush=True)


def _capacity(mbit: int, pcs: int = PCS, up_mbit: int = 0, name: str = "") -> dict[str, Any]:
    down, up = mbit * _MBIT, (up_mbit or mbit) * _MBIT
    with Lab(pcs, delayed=mbit <= _DELAYED_MBIT) as lab:
        lab.shape(down_bps=down, up_bps=up)
        run = lab.run(kind="capacity", adaptive=False, window_min_s=8.0, window_max_s=8.0)
        used = lab.usage()
    errors = _errors(run, down, up)
    _say(f"{pcs} PCs, {mbit}/{up_mbit or mbit} Mbit/s", run)
    name = name or str(mbit)
    found = {f"err_dl_{name}": errors["down"], f"err_ul_{name}": errors["up"], f"valid_{name}": run["valid"]}
    if name == "100":
        found["memory_growth_mib"] = max(used["grew_kib"]) / 1024
        found["idle_ms"], found["loaded_ms"] = run["idle_rtt_p50_s"] * 1000, run["loaded_rtt_p50_s"] * 1000
        found["start_spread_ms"] = run["start_spread_s"] * 1000
    return found


def _clock() -> dict[str, Any]:
    """Offsets with wall clocks off by up to 2 s, over a way of 10 ms, symmetric and not."""
    found: dict[str, Any] = {}
    for name, down_ms, up_ms in (("", 5.0, 5.0), ("_asym", 2.0, 18.0)):
        with Lab(PCS, down_ms=down_ms, up_ms=up_ms) as lab:
            lab.shape(down_bps=100 * _MBIT, up_bps=100 * _MBIT)
            run = lab.run(floor_down_bps=1e6, floor_up_bps=1e6)
        errors = [abs(error) * 1000 for error in run["offset_errors_s"]]
        found[f"offset_err_ms{name}"] = max(errors)
        found[f"offset_err_median_ms{name}"] = statistics.median(errors)
        found[f"start_spread_floor_ms{name}"] = run["start_spread_s"] * 1000
        _say(f"clocks, {down_ms:g} + {up_ms:g} ms", run, max_ms=f"{max(errors):.2f}")
    found["offset_bound_ms_asym"] = (18.0 - 2.0) / 2
    return found


def _curve_of(share: float, runs: int) -> list[str]:
    """Floor runs at 1 Mbit/s on a line of a share of what they need."""
    pcs, floor = _CURVE_PCS, 1e6
    needed = pcs * floor * IP_BYTES_PER_PAYLOAD
    verdicts: list[str] = []
    with Lab(pcs) as lab:
        lab.shape(down_bps=share * needed, up_bps=share * needed)
        for _ in range(runs):
            run = lab.run(floor_down_bps=floor, floor_up_bps=floor, lead_s=1.0)
            rates = ", ".join(f"{f['goodput_bps'] / (pcs * floor):.4f}" for f in run["directions"])
            least = ", ".join(f"{f['min_bps'] / floor:.3f}" for f in run["directions"] if f["min_bps"] is not None)
            print(f"  {share:.2f} x needed: {run['verdict']:<12} sums {rates} least PCs {least} "
                  f"valid {run['valid']}/{pcs} {' '.join(run['reasons'])}", flush=True)  # fmt: skip
            verdicts.append(run["verdict"])
    return verdicts


def _curve(runs: int = 10) -> dict[str, Any]:
    """The operating curve: four schools at a time, on lines below and above what they need."""
    with ThreadPoolExecutor(len(_CURVE_SHARES)) as pool:
        found = pool.map(lambda share: _curve_of(share, runs), _CURVE_SHARES)
        verdicts = dict(zip(_CURVE_SHARES, found, strict=True))
    wrong = sum(verdict != ("fail" if share < 1 else "pass") for share, found in verdicts.items() for verdict in found)
    return {"curve": {str(share): found for share, found in sorted(verdicts.items())}, "curve_wrong": wrong,
            "curve_runs": sum(map(len, verdicts.values()))}  # fmt: skip


def _adaptive() -> dict[str, Any]:
    """Capacity runs that stop by themselves against runs of the longest window, in the same lab."""
    rate, ratios, errors = 100 * _MBIT, [], []
    with Lab(PCS) as lab:
        lab.shape(down_bps=rate, up_bps=rate)
        whole = lab.run(kind="capacity", adaptive=False, window_min_s=12.0, window_max_s=12.0)
        _say("longest window", whole)
        full = sum(figures["bytes"] for figures in whole["directions"])
        for _ in range(3):
            run = lab.run(kind="capacity", adaptive=True, window_min_s=6.0, window_max_s=12.0)
            ratios.append(sum(figures["bytes"] for figures in run["directions"]) / full)
            errors.append(_errors(run, rate, rate))
            _say("adaptive", run, data=f"{ratios[-1]:.3f}")
    return {
        "adaptive_data": statistics.mean(ratios),
        "adaptive_err_dl": max((error["down"] for error in errors), key=abs),
        "adaptive_err_ul": max((error["up"] for error in errors), key=abs),
    }


def _cross() -> dict[str, Any]:
    """30 Mbit/s to a PC that takes no part: the test reads what is left, the router's counters tell the rest."""
    rate, foreign = 100 * _MBIT, 30 * _MBIT
    with Lab(PCS) as lab:
        lab.shape(down_bps=rate, up_bps=rate)
        run = lab.run(kind="capacity", adaptive=False, window_min_s=8.0, window_max_s=8.0, present=PCS - 1,
                      cross_bps=foreign, directions=["down"],
                      lines=[{"line": "l", "sources": [network_of(0)], "down": rate, "up": rate}])  # fmt: skip
    seen, true = run["directions"][0]["cross_bps"], run["last_pc_received_bps"]["down"]
    _say("cross traffic", run, router=f"{seen / _MBIT:.2f} Mbit/s", true=f"{true / _MBIT:.2f} Mbit/s")
    return {
        "cross_seen_mbit": seen / _MBIT,
        "cross_true_mbit": true / _MBIT,
        "cross_err_of_line": (seen - true) / rate,
        "cross_verdict": run["verdict"],
    }


def _lines() -> dict[str, Any]:
    """Two lines of 300 behind a balancer by source address, without the delay stage."""
    rate = 300 * _MBIT
    with Lab(PCS, lines=2, delayed=False) as lab:
        lab.shape(down_bps=rate, up_bps=rate)
        run = lab.run(kind="capacity", adaptive=False, window_min_s=8.0, window_max_s=8.0,
                      lines=[{"line": f"line-{k}", "sources": [network_of(k)], "down": rate, "up": rate}
                             for k in range(2)])  # fmt: skip
    _say("two lines of 300", run)
    found = {f"lines_err_{'dl' if name == 'down' else 'ul'}": error for name, error in
             _errors(run, 2 * rate, 2 * rate).items()}  # fmt: skip
    for line in run["lines"]:
        found |= {f"{line['line']}_err_{name}": error for name, error in _errors(line, rate, rate).items()}
        print(f"  {line['line']}: {line['participants']} PCs, {line['verdict']}")
    return found


def _controls() -> dict[str, Any]:
    """What others do: one PC alone, and PCs that start by their own wrong clocks."""
    rate = 100 * _MBIT
    window = {"kind": "capacity", "adaptive": False, "window_min_s": 6.0, "window_max_s": 6.0, "directions": ["down"]}
    with Lab(PCS) as lab:
        lab.shape(down_bps=rate, up_bps=rate)
        alone = lab.run(present=1, **window)
        _say("one PC alone", alone)
        together = lab.run(**window)
        _say("all together", together)
        apart = lab.run(unsynchronised=True, lead_s=3.5, **window)
        own = [one["client_down_bps"] for one in apart["participants"] if one["client_down_bps"]]
        apart_sum = sum(own) * IP_BYTES_PER_PAYLOAD
        _say("started by wrong clocks", apart, client_sum=f"{apart_sum / _MBIT:.1f} Mbit/s of {len(own)}")
    return {
        "single_pc_of_line": alone["directions"][0]["ip_bps"] / rate,
        "median_pc_of_line_times_pcs": together["directions"][0]["median_bps"] * IP_BYTES_PER_PAYLOAD * PCS / rate,
        "unsynchronised_client_err": apart_sum / rate - 1,
    }


def _loops() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for count in (40, 400):
        found |= _bandwidth_loops.ratios(count)
        print(f"{count} connections: receiver {found[f'receiver_ratio_{count}']:.2f}, "
              f"server {found[f'server_ratio_{count}']:.2f} of a bare loop", flush=True)  # fmt: skip
    return found


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "capacity50": lambda: _capacity(50),
    "capacity100": lambda: _capacity(100),
    "capacity300": lambda: _capacity(300),
    "pcs100": lambda: _capacity(300, 100, 100, "100pcs"),
    "clock": _clock,
    "curve": _curve,
    "adaptive": _adaptive,
    "cross": _cross,
    "lines": _lines,
    "controls": _controls,
    "loops": _loops,
}


def _part(word: str) -> tuple[str, str]:
    """Read NAME or NAME:NUMBER."""
    name, _, number = word.partition(":")
    if name not in PARTS or (number and not number.isdigit()):
        raise argparse.ArgumentTypeError(f"no part {word!r}; there are {', '.join(PARTS)}")
    return name, number


def run(arguments: list[str]) -> None:
    """Run the named parts."""
    parser = Arguments("bandwidth", __doc__)
    parser.add_argument("parts", nargs="*", type=_part, metavar="PART", help="all of them without one")
    found: dict[str, Any] = {}
    for name, number in parser.parse_args(arguments).parts or [(name, "") for name in PARTS]:
        found |= PARTS[name](*([int(number)] if number else []))
    rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in found.items()}
    sys.stdout.flush()
    print(json.dumps({"bandwidth": rounded}))
