"""`scripts/bench chain`: what one message costs from broker to disk, what an evaluation costs, what an agent costs.

Prints a table and one JSON object: messages_per_s, collector_cpu_us_per_message, evaluate_5000_devices_s,
agent_rss_mib, agent_cpu_s_per_hour. Beside each figure stands a reference of the same run: mosquitto_sub (C, decodes
nothing) for the collector, a bare SELECT of the same facts for the evaluation, an idle Python for the agent.
`scripts/bench chain quick` runs a tenth of it, to try the benchmark itself.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from benchmarks import _agent, _evaluation, _messages
from benchmarks._arguments import Arguments
from phongmay_contract.errors import OperatorError


def run(arguments: list[str]) -> None:
    """Run all three parts."""
    parser = Arguments("chain", __doc__)
    parser.add_argument("size", nargs="?", choices=("quick",), help="a tenth, to try the benchmark itself")
    quick = parser.parse_args(arguments).size is not None
    if shutil.which("mosquitto") is None or shutil.which("mosquitto_sub") is None:
        raise OperatorError("mosquitto and mosquitto_sub are needed: apt install mosquitto mosquitto-clients")
    figures: dict[str, tuple[float, str]] = {}
    with _folder() as folder:
        figures |= _messages.measure(Path(folder), 2_000 if quick else 20_000)
    with _folder() as folder:
        figures |= _evaluation.measure(Path(folder), 20 if quick else 200)
    with _folder() as folder:
        figures |= _agent.measure(Path(folder), 20 if quick else 190)
    print(f"{'figure':<32}{'value':>12}   reference of the same run")
    for key, (value, reference) in figures.items():
        print(f"{key:<32}{value:>12.3f}   {reference}")
    print(json.dumps({key: round(value, 3) for key, (value, _) in figures.items()}))


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="phongmay-bench-")
