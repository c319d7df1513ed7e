"""The collector against the real Mosquitto with our generated files: rights, receipts, refusals, presence, clocks."""

from __future__ import annotations

import signal
import time
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay_collector.members import MARKER
from phongmay_contract import topics
from phongmay_contract.envelope import GOODBYE, LOST, Group, Transit, encode_live
from phongmay_contract.topics import Kind
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Credential, DeviceKind, IdentityConflict

pytestmark = pytest.mark.integration


def test_an_envelope_gets_its_row_and_its_receipt(running: Any) -> None:
    """The narrow path: what a device sends is stored with its values and source, and the device is told so."""
    sender = running.sender(running.enrol()).connect()
    envelope = sender.send()
    sender.wait_for_receipts(envelope)
    with running.series() as series:
        (row,) = series.latest("usage", [sender.device])
    assert row.values == {"cpu_busy_ratio": 0.25, "memory_used_bytes": 2**31, "memory_available_bytes": 2**32}
    assert str(row.source) == f"{sender.device}/{sender.run}/{envelope.seq}"


def test_the_minutes_in_which_the_collector_heard_are_kept(running: Any, wait_until: Any) -> None:
    """Its marker goes through the real broker and back: without such minutes no absence could be held against a PC."""
    begin = time.time()

    def heard() -> bool:
        with running.series() as series:
            return bool(series.listening(begin - 60, time.time() + 60))

    wait_until(heard, "a minute of listening")
    with running.series() as series:
        hours = series.listening(begin - 60, time.time() + 60)
    minutes = {hour // 60 + bit for hour, mask in hours.items() for bit in range(60) if mask >> bit & 1}
    assert minutes <= set(range(int(begin // 60) - 2, int(time.time() // 60) + 1))


def test_the_same_envelope_three_times_is_one_row_and_three_receipts(running: Any, wait_until: Any) -> None:
    """Seen again, nothing happens - but the device is told again, since its first receipt may have been lost."""
    sender = running.sender(running.enrol()).connect()
    envelope = sender.send()
    sender.wait_for_receipts(envelope)
    for again in (lambda: sender.send(envelope), lambda: sender.send_past([envelope, envelope])):
        before = sender.receipts
        again()
        wait_until(lambda before=before: sender.receipts > before, "another receipt")
    assert running.stored(sender.device) == 1
    with running.series() as series:
        assert len(series.range(sender.device, "usage", 0, 2e10)) == 1


def test_a_thousand_envelopes_at_once_are_all_stored_and_receipted(running: Any) -> None:
    """More than Mosquitto's defaults would hold or let fly: our generated settings lose none of them."""
    sender = running.sender(running.enrol()).connect()
    envelopes = [sender.send(wait=False) for _ in range(1500)]
    sender.wait_for_receipts(*envelopes)
    assert running.stored(sender.device) == 1500


def test_a_backfill_is_stored_at_the_times_of_measuring(running: Any) -> None:
    """The past lands where it was measured, by the run's offset, also when the wall clock stands in 2009."""
    sender = running.sender(running.enrol(), wall_error=-536_000_000.0).connect()
    now = sender.send()
    sender.wait_for_receipts(now)
    past = [sender.envelope(ago=60.0 * minute) for minute in range(60, 0, -1)]
    sender.send_past(past)
    sender.wait_for_receipts(*past)
    with running.series() as series:
        rows = series.range(sender.device, "usage", 0, 2e10)
    assert len(rows) == 61
    assert {row.basis for row in rows} == {"live"}
    gaps = [round(later.at - earlier.at) for earlier, later in pairwise(rows)]
    assert gaps == [60] * 60
    assert abs(rows[-1].at - time.time()) < 60


def test_what_cannot_be_read_becomes_a_dead_letter_with_its_payload(running: Any, wait_until: Any) -> None:
    """A refused message is kept whole with its reason; what can be named in a receipt is, so the spool moves on."""
    sender = running.sender(running.enrol()).connect()
    wrong = sender.envelope(Group("usage", {"memory_used_bytes": "much"}))
    payload = encode_live(wrong, Transit(sender.session, sender.instant()))
    sender.publish(sender.topic(Kind.ROUND), payload)
    sender.publish(sender.topic(Kind.ROUND), payload[: len(payload) // 2])
    good, bad = sender.envelope(), sender.envelope(Group("reach", {"took_s": 1.0}, part="dns"))
    sender.send_past([good, bad])
    sender.wait_for_receipts(good)
    wait_until(lambda: len(sender.refused) == 2, "two refusals")
    assert sender.refused == {(sender.run, wrong.seq): "wrong_type", (sender.run, bad.seq): "missing_key"}
    with running.series() as series:
        letters = {letter.reason: letter for letter in series.dead_letters()}
    assert letters.keys() == {"wrong_type", "not_json", "missing_key"}
    assert letters["wrong_type"].payload == payload
    assert "usage.memory_used_bytes" in letters["wrong_type"].detail
    assert running.stored() == 1


def test_an_unknown_name_is_stored_without_it_counted_and_named(running: Any, wait_until: Any) -> None:
    """A newer agent stays readable, and somebody learns which name the server does not know."""
    sender = running.sender(running.enrol()).connect()
    newer = sender.envelope(Group("usage", {"memory_used_bytes": 5, "gpu_busy_ratio": 0.5}), Group("gpu", {"cores": 2}))
    sender.send(newer)
    sender.wait_for_receipts(newer)
    with running.series() as series:
        assert series.unknown_names() == {"usage.gpu_busy_ratio": 1, "gpu": 1}
        assert [row.values for row in series.latest("usage")] == [{"memory_used_bytes": 5}]
    wait_until(lambda: "unknown_name name=usage.gpu_busy_ratio" in running.log("collector"), "the log names it")


def test_the_broker_drops_what_is_published_under_a_foreign_name(running: Any) -> None:
    """The ACL: no row, no receipt, no dead letter. The broker says PUBACK all the same (Mosquitto 2.0.11 then cuts the
    connection), so only a receipt counts.
    """
    victim, sender = running.enrol(), running.sender(running.enrol()).connect()
    foreign = sender.envelope()
    payload = encode_live(foreign, Transit(sender.session, sender.instant()))
    own_down = (sender.topic(Kind.COMMAND), sender.topic(Kind.RECEIPT))
    for topic in (topics.build(victim.device_id, Kind.ROUND), *own_down, MARKER):
        sender.publish(topic, payload)
        sender.close()
        sender.connect()
    own = sender.send()
    sender.wait_for_receipts(own)
    with running.series() as series:
        assert (series.envelope_count(), len(series.dead_letters())) == (1, 0)
    assert not sender.has_receipt(foreign)


def test_a_gateway_speaks_for_devices_of_its_school_and_for_no_others(running: Any, wait_until: Any) -> None:
    """What somebody says of another device counts only from a gateway, and only about its own school."""
    router, foreign_router = running.declare(DeviceKind.ROUTER), running.declare(
        DeviceKind.ROUTER, running.add_school("Trường mẫu số 2")
    )  # fmt: skip
    gateway = running.sender(running.enrol(DeviceKind.GATEWAY)).connect()
    pc = running.sender(running.enrol()).connect()

    def about(device: str) -> Group:
        return Group("router", {"is_up": True}, device, "wan")

    good = gateway.send(gateway.envelope(about(router)))
    gateway.wait_for_receipts(good)
    refused = [
        (gateway, gateway.send(gateway.envelope(about(foreign_router)))),
        (gateway, gateway.send(gateway.envelope(about("rou-nowhere")))),
        (pc, pc.send(pc.envelope(about(router)))),
    ]
    for sender, envelope in refused:
        wait_until(lambda s=sender, e=envelope: (s.run, e.seq) in s.refused, "the refusal")
        assert sender.refused[sender.run, envelope.seq] == "foreign_subject"
    with running.series() as series:
        assert [(row.device, row.source.sender) for row in series.latest("router")] == [(router, gateway.device)]


def test_presence_follows_the_sessions(running: Any, wait_until: Any) -> None:
    """Birth, loss and goodbye are seen as such; a device is never 'gone' because of its clock."""
    sender = running.sender(running.enrol(), wall_error=-536_000_000.0).connect()

    def state() -> Any:
        with running.series() as series:
            return next((p.state for p in series.presence([sender.device])), None)

    wait_until(lambda: state() == "online", "the birth")
    sender.cut()
    wait_until(lambda: state() == "lost", "the last will")
    sender.connect()
    wait_until(lambda: state() == "online", "the second birth")
    sender.publish(sender.topic(Kind.STATUS), sender.status(GOODBYE), retain=True)
    wait_until(lambda: state() == "goodbye", "the goodbye")
    with running.series() as series:
        (presence,) = series.presence()
    assert abs(presence.last_seen - time.time()) < 120


def test_an_old_will_after_a_new_birth_changes_nothing(running: Any) -> None:
    """A broker may notice a dead connection long after the device is back: the device is still present."""
    sender = running.sender(running.enrol()).connect()
    sender.wait_for_receipts(sender.send())
    old_will = sender.status(LOST)
    sender.close()
    sender.connect()
    sender.publish(sender.topic(Kind.STATUS), old_will, retain=True)
    sender.wait_for_receipts(sender.send())
    with running.series() as series:
        (presence,) = series.presence()
    assert (presence.state, presence.session) == ("online", sender.session)


def test_two_holders_of_one_identity_are_flagged_once(running: Any, wait_until: Any) -> None:
    """A cloned disk: each kicks the other out and speaks again; the register gets one open conflict, the data stays."""
    identity = running.enrol()
    one, two = running.sender(identity), running.sender(identity)
    sent = []
    for sender in (one, two, one, two):
        sender.connect()
        sent.append((sender, sender.send()))
        sender.wait_for_receipts(sent[-1][1])

    def conflicts() -> list[IdentityConflict]:
        with Session(running.engine) as session:
            return list(session.scalars(select(IdentityConflict)))

    wait_until(conflicts, "the conflict in the register")
    assert [(c.device_id, c.closed_at) for c in conflicts()] == [(identity.device_id, None)]
    assert running.stored(identity.device_id) == 4


def test_a_restarted_agent_is_no_clone(running: Any) -> None:
    """Run A, then run B with A's rest as backfill: the most ordinary morning must raise no alarm."""
    identity = running.enrol()
    first = running.sender(identity).connect()
    first.wait_for_receipts(first.send())
    rest = [first.envelope() for _ in range(3)]
    first.cut()
    second = running.sender(identity).connect()
    second.wait_for_receipts(second.send())
    second.send_past(rest)
    wait_for = [second.send()]
    second.wait_for_receipts(*wait_for)
    second.wait_for_receipts(*rest)
    with Session(running.engine) as session:
        assert session.scalars(select(IdentityConflict)).all() == []


def test_a_revoked_device_is_thrown_out_and_a_new_one_let_in(running: Any, wait_until: Any) -> None:
    """The password file follows the register while everything runs; a revoked credential ends its connection."""
    identity = running.enrol()
    sender = running.sender(identity).connect()
    sender.wait_for_receipts(sender.send())
    with Session(running.engine) as session:
        credential = session.get_one(Credential, identity.device_id)
        credential.revoked_at = utc_now()
        session.commit()
    sender.connected.clear()
    wait_until(lambda: sender.reason is not None and sender.reason.is_failure, "the broker refuses it")


@pytest.mark.parametrize(
    "house", [{"broker": "max_inflight_messages = 2000", "collector": "batch_size = 3000"}], indirect=True
)
def test_a_batch_above_the_broker_s_limit_is_refused_at_the_start(house: Any) -> None:
    """The broker would stop sending before a batch is full; the sentence names both keys."""
    for arguments in (["collector", "run"], ["collector", "check-config"], ["broker", "files"]):
        process = house.processes.start("refused", ["phongmay", "--config", str(house.config), *arguments])
        assert process.wait(30) == 2
    assert house.log("refused").count("collector.batch_size 3000 exceeds broker.max_inflight_messages 2000") == 3
    assert "Traceback" not in house.log("refused")


def test_a_wrong_password_of_the_collector_ends_it_with_a_sentence(house: Any, mosquitto: str) -> None:
    """Trying again would never help: exit code 2, and the sentence says which file does not fit."""
    house.start_broker()
    (house.settings.broker.directory / "collector.password").write_text("0" * 64)
    process = house.processes.start("collector", ["phongmay", "--config", str(house.config), "collector", "run"])
    assert process.wait(30) == 2
    assert "collector.password" in house.log("collector")
    assert "Traceback" not in house.log("collector")


def test_an_absent_broker_is_waited_for_and_said_once(house: Any, mosquitto: str, wait_until: Any) -> None:
    """The order in which programs start does not matter; the log says once that the broker is away."""
    command = ["phongmay", "--config", str(house.config)]
    assert house.processes.start("files", [*command, "broker", "files"]).wait(30) == 0
    collector = house.processes.start("collector", [*command, "collector", "run"])
    wait_until(lambda: "broker_away" in house.log("collector"), "it says that the broker is away")
    house.start_broker()
    wait_until(lambda: house.log("collector").count(" connected user=") == 2, "it is connected")
    assert house.log("collector").count("broker_away") == 2, "one line a session"
    assert "broker.port" in house.log("collector")
    assert house.processes.kill(collector, signal.SIGTERM) == 0
