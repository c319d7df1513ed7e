"""Version 1 of the wire, word for word: what these files say must be readable and writable for ever.

A golden file is never edited. A change that breaks one of these tests is a new version of the contract.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from phongmay_agent import __version__
from phongmay_agent.agent import measure
from phongmay_agent.assembly import build_probes
from phongmay_agent.clock import SystemClock
from phongmay_agent.probes.hardware_windows import record
from phongmay_agent.probes.state import SpoolFill
from phongmay_agent.settings import AgentSettings, ReachSettings
from phongmay_contract.catalogue import Cadence
from phongmay_contract.checking import check
from phongmay_contract.command import open_command, sign_command
from phongmay_contract.envelope import (
    Envelope,
    Transit,
    decode_live,
    decode_receipt,
    decode_status,
    decode_stored,
    encode_backfill,
    encode_live,
    encode_receipt,
    encode_status,
    encode_stored,
    read_backfill,
    read_envelope,
    read_receipt_time,
)
from phongmay_contract.keys import command_key
from phongmay_contract.topics import Kind

FOLDER = Path(__file__).parent / "v1"
RECORDINGS = Path(__file__).parents[1] / "unit" / "agent" / "recordings"
LIVE = (
    "linux-pc.inventory",
    "linux-pc.round",
    "windows-pc.inventory",
    "gateway.round",
    "pc.campaign",
    "pc.campaign.series",
    "pc.event",
)
STATUS = ("pc.status.online", "pc.status.goodbye", "pc.status.lost")
DIGESTS = Path(__file__).parent / "v1.sha256"


def payload(name: str) -> bytes:
    """Load a message as it travels."""
    return (FOLDER / f"{name}.json").read_bytes()


def message(name: str) -> dict[str, Any]:
    """Load a message as the JSON object that it is."""
    found: dict[str, Any] = json.loads(payload(name))
    return found


def stands(envelope: Envelope) -> None:
    """Assert that the catalogue knows all of it, finds nothing impossible, and changes nothing."""
    checked = check(envelope)
    assert (checked.unknown, checked.out_of_range) == ((), ())
    assert checked.envelope == envelope


@pytest.mark.parametrize("name", LIVE)
def test_a_live_message_is_read_checked_and_written_back(name: str) -> None:
    """Decoded, held against the catalogue, encoded: the identical JSON object."""
    envelope, transit = decode_live(payload(name))
    stands(envelope)
    assert json.loads(encode_live(envelope, transit)) == message(name)


@pytest.mark.parametrize("name", LIVE)
def test_the_spool_keeps_all_but_the_transit(name: str) -> None:
    """What lies on the disk is the message without session and moment of sending."""
    envelope, _ = decode_live(payload(name))
    stored = encode_stored(envelope)
    assert decode_stored(stored) == envelope
    assert json.loads(stored) == {k: v for k, v in message(name).items() if k not in ("session", "sent")}


def test_a_backfill_is_read_checked_and_written_back() -> None:
    """Envelopes of two runs in one message; each stands by itself."""
    sender, transit, raw = read_backfill(message("pc.backfill"))
    envelopes = [read_envelope(item) for item in raw]
    assert len({envelope.run for envelope in envelopes}) == 2
    for envelope in envelopes:
        stands(envelope)
        assert envelope.sender == sender
    assert json.loads(encode_backfill(sender, envelopes, transit)) == message("pc.backfill")


@pytest.mark.parametrize("name", STATUS)
def test_a_status_is_read_and_written_back(name: str) -> None:
    """Birth, goodbye and last will."""
    status = decode_status(payload(name))
    assert status.state == name.rpartition(".")[2]
    assert json.loads(encode_status(status)) == message(name)


def test_a_receipt_is_read_and_written_back() -> None:
    """Ranges that are stored and envelopes that are refused, of two runs."""
    receipts = decode_receipt(payload("server.receipt"))
    assert [len(receipt.refused) for receipt in receipts] == [0, 1]
    assert json.loads(encode_receipt(receipts)) == message("server.receipt")


def test_a_receipt_with_the_servers_time_is_read_and_written_back() -> None:
    """Devices learn the true time from it; a receipt without it tells none."""
    receipts = decode_receipt(payload("server.receipt.time"))
    at = read_receipt_time(payload("server.receipt.time"))
    assert json.loads(encode_receipt(receipts, at)) == message("server.receipt.time")
    assert read_receipt_time(payload("server.receipt")) is None


def test_a_signed_command_is_read_and_written_back() -> None:
    """Also its HMAC: a device of today must obey a server of tomorrow."""
    key = command_key("7" * 64)
    command = open_command(key, "pc-k7m2q9x4ta", payload("server.command"))
    assert json.loads(sign_command(key, command)) == message("server.command")


def test_the_windows_pc_is_what_the_agent_makes_of_the_recording() -> None:
    """The parser gives, to the value, the groups of the golden file."""
    envelope, _ = decode_live(payload("windows-pc.inventory"))
    made = record((RECORDINGS / "windows-11-pc.json").read_text("utf-8"))
    assert [g for g in envelope.body if g.measurement != "probe"] == made


@pytest.mark.skipif(sys.platform != "linux", reason="the golden PC runs Linux")
@pytest.mark.parametrize(
    ("name", "cadence"), [("linux-pc.round", Cadence.ROUND), ("linux-pc.inventory", Cadence.CHANGE)]
)
def test_this_machine_speaks_like_the_golden_pc(name: str, cadence: Cadence, tmp_path: Path) -> None:
    """The agent's own round has the golden message's keys, measurements and quantities, and no others."""
    golden = message(name)
    settings = AgentSettings(spool_file=tmp_path / "spool.db", reach=ReachSettings(gateway="tcp://127.0.0.1:1"))
    probes = build_probes(settings, None, SystemClock(), lambda: SpoolFill(1, 2, 3))
    clock = SystemClock()
    envelope = Envelope(Kind(golden["kind"]), "pc-abc", "0" * 16, 1, clock.now(), __version__, measure(probes, cadence))
    spoken = json.loads(encode_live(envelope, Transit("1" * 16, clock.now())))
    assert list(spoken) == list(golden)
    assert names(spoken).keys() <= names(golden).keys()
    for measurement, quantities in names(spoken).items():
        assert quantities <= names(golden)[measurement] | {"error"}


def names(spoken: dict[str, Any]) -> dict[str, set[str]]:
    """Give the quantities of each measurement of a message."""
    found: dict[str, set[str]] = {}
    for group in spoken["body"]:
        assert set(group) <= {"measurement", "subject", "part", "values"}
        found.setdefault(group["measurement"], set()).update(group["values"])
    return found


def test_the_gateway_speaks_of_another_device() -> None:
    """A group with a subject is what a gateway saw; its own groups have none."""
    envelope, _ = decode_live(payload("gateway.round"))
    assert {(g.measurement, g.subject != "") for g in envelope.body} == {("router", True), ("agent", False)}


def test_every_kind_has_its_golden_file() -> None:
    """A kind that nobody wrote down is not part of the contract."""
    kinds = {json.loads(path.read_bytes())["kind"] for path in FOLDER.glob("*.json")}
    assert kinds == {kind.value for kind in Kind}


def test_golden_files_are_never_edited() -> None:
    """Their digests are written down; a new file may come, an old one may not change."""
    written = dict(reversed(line.split(maxsplit=1)) for line in DIGESTS.read_text("utf-8").splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(FOLDER.glob("*.json"))}
    assert found == written
