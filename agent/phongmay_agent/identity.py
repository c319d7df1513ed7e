"""The identity file: device id, secret and the broker's address, as enrolment gave them.

JSON that only the agent's own user may read (mode 0600; on Windows the folder's rights have to do that). A file that is
missing, broken or readable for others raises IdentityError, one sentence with the remedy.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phongmay_contract.errors import OperatorError
from phongmay_contract.topics import valid_device


class IdentityError(OperatorError):
    """The identity file cannot be used."""


@dataclass(frozen=True)
class Identity:
    """What makes this PC a device.

    Attributes:
        device_id: MQTT user name, client id and sender.
        secret: 64 hexadecimal digits; password and command key are derived from it.
        broker_host: where the broker is.
        broker_port: its port.
        server: address at which the PC enrolled; "" in files that do not have it.
        broker_ca: certificates (PEM) that the broker's must come from; "" = it speaks without TLS.
    """

    device_id: str
    secret: str
    broker_host: str
    broker_port: int
    server: str = ""
    broker_ca: str = ""

    def __repr__(self) -> str:  # a secret must not slip into a log
        return f"Identity({self.device_id}, {self.broker_host}:{self.broker_port})"


def read_identity(path: Path) -> Identity:
    """Read the file.

    Raises:
        IdentityError: with the file and the remedy.
    """
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise IdentityError(f"{path}: holds a secret, yet others than its owner may open it; run: chmod 600 {path}")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise IdentityError(
            f"{path}: this PC has no identity yet; run: phongmay-agent enrol --server URL --token TOKEN"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise IdentityError(f"{path}: cannot be read ({reason}); let the agent's user own it") from None
    try:
        return _parse(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise IdentityError(f"{path}: is not an identity file ({error}); delete it and enrol again") from None


def parse_enrolment(answer: Any, server: str) -> Identity:
    """Read the server's answer to an enrolment.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    return _parse({**answer, "server": server})


def _parse(message: Any) -> Identity:
    device, secret, broker = message["device_id"], message["secret"], message["broker"]
    host, port, server = broker["host"], broker["port"], message.get("server", "")
    if not isinstance(device, str) or not valid_device(device):
        raise ValueError("device_id is not a device id")
    if not isinstance(secret, str) or len(bytes.fromhex(secret)) != 32:
        raise ValueError("secret is not 64 hexadecimal digits")
    if not isinstance(host, str) or not host or not isinstance(port, int) or not 1 <= port <= 65535:
        raise ValueError("broker has no host and port")
    authority = broker.get("ca", "")
    if not isinstance(authority, str):
        raise ValueError("broker's ca is no text")
    return Identity(device, secret, host, port, server if isinstance(server, str) else "", authority)


def check_place(path: Path) -> None:
    """Make sure that an identity could be written, before a token is spent on it.

    Raises:
        IdentityError: the folder cannot be made or written.
    """
    probe = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(_create(probe))
        probe.unlink()
    except OSError as error:
        raise IdentityError(
            f"{path}: cannot be written ({error.strerror}); set 'identity_file' to a place that the agent may write"
        ) from None


def write_identity(path: Path, identity: Identity) -> None:
    """Write the file whole or not at all, never readable for others.

    Raises:
        IdentityError: it cannot be written.
    """
    check_place(path)
    message = {
        "device_id": identity.device_id,
        "secret": identity.secret,
        "broker": {"host": identity.broker_host, "port": identity.broker_port, "ca": identity.broker_ca},
        "server": identity.server,
    }
    new = path.with_name(path.name + ".new")
    try:
        with os.fdopen(_create(new), "w", encoding="utf-8") as file:
            json.dump(message, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise IdentityError(f"{path}: cannot be written ({error.strerror}); free its disk and enrol again") from None


def _create(path: Path) -> int:
    path.unlink(missing_ok=True)  # a left-over of somebody else's must not keep its mode
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
