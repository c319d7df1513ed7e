"""The file that says which simulated devices a register holds, with their secrets: written once, read by every run.

A population and identities go in and come back out. The file is readable by its user only. One that is missing or
damaged raises SimulationError.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from phongmay_simulate import population
from phongmay_simulate.enrolling import Identity, SimulationError
from phongmay_simulate.population import Population


def write(path: Path, people: Population, identities: Mapping[str, Identity]) -> None:
    """Write how the population is built again, and the secrets."""
    first = next(iter(identities.values()))
    content = {
        "seed": people.seed,
        "schools": len(people.schools),
        "pcs": people.pcs,
        "faults": people.faults,
        "gateways": people.gateways,
        "broker": [first.broker_host, first.broker_port],
        "secrets": {one.device_id: one.secret for one in identities.values()},
    }
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise SimulationError(f"--fleet {path}: cannot be written ({error.strerror})") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)


def read(path: Path) -> tuple[Population, dict[str, Identity]]:
    """Give population and identities by device id.

    Raises:
        SimulationError: there is no such file, or it is none of ours.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        host, port = content["broker"]
        people = population.build(
            content["seed"], content["schools"], content["pcs"],
            faults=content["faults"], gateways=content["gateways"],
        )  # fmt: skip
        identities = {device: Identity(device, secret, host, port) for device, secret in content["secrets"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SimulationError(
            f"--fleet {path}: no fleet file ({error!r}); 'phongmay simulate provision' writes one"
        ) from error
    return people, identities
