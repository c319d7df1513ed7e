"""What is remembered besides points, the same for every engine: identities, offsets, claims, masks, presence, letters.

In: a database that has the tables `series_*`, and what the collector hands over. Out: what it asked for, and rows that
one transaction keeps. Everything may be repeated: blocks and masks are joined by OR, offsets and claims are kept by
who came first. StoreError passes through; then nothing was kept.
"""
# ruff: noqa: S608 - names of tables and columns are written here, every value is bound

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from phongmay_contract.topics import Kind
from phongmay_store.series.arrivals import Arrivals
from phongmay_store.series.database import Database, Writing
from phongmay_store.series.interface import (
    Arrival,
    DeadLetter,
    EnvelopeId,
    MinuteCounts,
    Minutes,
    Presence,
    RunOffset,
    TimeBasis,
)
from phongmay_store.series.stored import Block, StoredBlocks
from phongmay_store.series.strips import strips

BITS = 60
"""Of a block of sequence numbers and of an hour of minutes: both fit into a signed 64-bit number."""
KEPT_DEAD_LETTERS = 2000
"""The newest are kept, since they tell what goes wrong now; ids go on counting, so a gap shows that older ones went."""
KEPT_PAYLOAD_BYTES = 64 * 1024
MAX_ODD_NAMES = 1000
"""Different odd names that are counted by name; further ones count as 'others', so that no agent can fill the store."""
MAX_ODD_NAME = 100
REMEMBERED_DAYS = 400
"""Days for which identities and offsets are kept; older times are not believed by the collector either."""
DAY_S, HOUR_S = 86400, 3600
_UNKNOWN, _OUT_OF_RANGE = "unknown", "out_of_range"

_STORED = """INSERT INTO series_stored (sender, run, block, bits, day) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (sender, run, block) DO UPDATE SET bits = series_stored.bits | excluded.bits"""
_OFFSET = """INSERT INTO series_offset (device, run, offset_s, basis, day) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device, run) DO NOTHING"""
_CLAIM = """INSERT INTO series_claim (sender, run, seq, at, basis) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (sender, run, seq) DO NOTHING"""
_UNCLAIM = "DELETE FROM series_claim WHERE sender = ? AND run = ? AND seq = ?"
_MINUTES = """INSERT INTO series_minutes (device, hour, seen, reachable, unreachable) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device, hour) DO UPDATE SET seen = series_minutes.seen | excluded.seen,
reachable = series_minutes.reachable | excluded.reachable,
unreachable = series_minutes.unreachable | excluded.unreachable"""
_LISTENING = """INSERT INTO series_listening (hour, minutes) VALUES (?, ?)
ON CONFLICT (hour) DO UPDATE SET minutes = series_listening.minutes | excluded.minutes"""
_HOUR = """INSERT INTO series_hour (hour, changed, rolled, touched) VALUES (?, 1, 0, ?)
ON CONFLICT (hour) DO UPDATE SET changed = series_hour.changed + 1, touched = excluded.touched"""
_PRESENCE = """INSERT INTO series_presence (device, state, session, run, since, last_seen, agent)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET state = excluded.state, session = excluded.session,
run = excluded.run, since = excluded.since, agent = excluded.agent, last_seen = CASE WHEN excluded.last_seen >
series_presence.last_seen THEN excluded.last_seen ELSE series_presence.last_seen END"""
_IMPOSSIBLE = """INSERT INTO series_out_of_range (device, last_at, count) VALUES (?, ?, ?)
ON CONFLICT (device) DO UPDATE SET count = series_out_of_range.count + excluded.count,
last_at = CASE WHEN excluded.last_at > series_out_of_range.last_at THEN excluded.last_at
ELSE series_out_of_range.last_at END"""
_ODD = """INSERT INTO series_odd_name (oddity, name, count) VALUES (?, ?, ?)
ON CONFLICT (oddity, name) DO UPDATE SET count = series_odd_name.count + excluded.count"""
_LETTER = "INSERT INTO series_dead_letter (topic, reason, detail, payload, received) VALUES (?, ?, ?, ?, ?)"
_LEASE = """INSERT INTO series_lease (name, holder, until) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE series_lease.holder = excluded.holder OR series_lease.until < ?"""


class Fresh(NamedTuple):
    """Arrivals that are not stored yet, and the blocks of their identities."""

    arrivals: Arrivals
    blocks: Mapping[Block, int]


class State:
    """Reads and writes the state; see the module for the laws."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._stored = StoredBlocks(database)

    # ---- before the points -------------------------------------------------------------------------------------------

    def fresh(self, arrivals: Sequence[Arrival] | Arrivals) -> Fresh:
        """Give the arrivals that are not stored yet, each identity once, with the time that holds for them.

        The time of an envelope without an offset is committed here, before its rows are written.
        """
        columns = Arrivals.of(arrivals)
        if not columns.seqs:
            return Fresh(columns, {})
        blocks, count = _blocks(columns)
        self._stored.begin()
        # Claims first, as in `_sifted`; what is stored is asked after them.
        is_plain = count == len(columns.seqs) and columns.is_live
        if is_plain and not self._has_claims() and not self._stored.has_any(blocks):
            return Fresh(columns, blocks)
        found = self._sifted(columns.full())
        return Fresh(found, _blocks(found)[0])

    def kept(self, fresh: Fresh) -> None:
        """Remember what a transaction with `keep` in it has stored; to be told only when it was committed."""
        self._stored.kept(fresh.blocks)

    def _sifted(self, arrivals: Arrivals) -> Arrivals:
        """Find the fresh ones by asking the database: some are stored, come twice, or have no offset."""
        places: dict[EnvelopeId, int] = {}
        for place, key in enumerate(zip(arrivals.senders, arrivals.runs, arrivals.seqs, strict=True)):
            places.setdefault(EnvelopeId(*key), place)
        times, bases = list(arrivals.times), list(arrivals.bases)
        unsure = {one for one, place in places.items() if bases[place] is not TimeBasis.LIVE}
        if unsure:
            with self.database.writing() as writing:
                writing.many(_CLAIM, [(*one, times[places[one]], bases[places[one]].value) for one in unsure])
        # Claim, read claims, then ask what is stored: another collector that has the same envelope drops its claim with
        # the very commit that stores it, so whoever finds no claim finds the envelope stored.
        for identity, (at, basis) in self._claims(places).items():
            times[places[identity]], bases[places[identity]] = at, basis
        stored = self.known(places)
        again = sorted(stored & unsure)
        if again:
            with self.database.writing() as writing:
                writing.each(_UNCLAIM, again)
        return arrivals.only([place for one, place in places.items() if one not in stored], times, bases)

    def known(self, ids: Iterable[EnvelopeId]) -> set[EnvelopeId]:
        """Tell which of these envelopes are stored already."""
        blocks: dict[tuple[str, str, int], list[int]] = {}
        for sender, run, seq in ids:
            blocks.setdefault((sender, run, seq // BITS), []).append(seq)
        found: set[EnvelopeId] = set()
        rows = self.database.by_key("series_stored", ("sender", "run", "block"), "bits", blocks)
        for sender, run, block, bits in rows:
            for seq in blocks[sender, run, block]:
                if bits >> seq % BITS & 1:
                    found.add(EnvelopeId(sender, run, seq))
        return found

    def _claims(self, ids: Iterable[EnvelopeId]) -> dict[EnvelopeId, tuple[float, TimeBasis]]:
        if not self._has_claims():
            return {}
        rows = self.database.by_key("series_claim", ("sender", "run", "seq"), "at, basis", ids)
        return {EnvelopeId(sender, run, seq): (at, TimeBasis(basis)) for sender, run, seq, at, basis in rows}

    def _has_claims(self) -> bool:
        return bool(self.database.rows("SELECT 1 FROM series_claim LIMIT 1"))

    def settle(self, offsets: Sequence[RunOffset], now: float) -> list[RunOffset]:
        """Keep the offsets of runs that have none yet; give the offset that holds for each, in order."""
        if not offsets:
            return []
        with self.database.writing() as writing:
            day = int(now // DAY_S)
            writing.many(_OFFSET, [(o.device, o.run, o.offset, o.basis.value, day) for o in offsets])
        return [self.offset(offset.device, offset.run) or offset for offset in offsets]

    def offset(self, device: str, run: str) -> RunOffset | None:
        """Give the offset that was learnt for a run, if any."""
        sql = "SELECT offset_s, basis FROM series_offset WHERE device = ? AND run = ?"
        rows = self.database.rows(sql, (device, run))
        return RunOffset(device, run, rows[0][0], TimeBasis(rows[0][1])) if rows else None

    # ---- after the points --------------------------------------------------------------------------------------------

    def keep(self, writing: Writing, fresh: Fresh, presence: Sequence[Presence], dead: Sequence[DeadLetter]) -> None:
        """Keep what follows from arrivals whose points are written, inside a transaction."""
        if fresh.arrivals.seqs:
            self._keep_identities(writing, fresh)
            self._keep_minutes(writing, fresh.arrivals)
            self._keep_oddities(writing, fresh.arrivals)
        writing.many(
            _PRESENCE,
            [(p.device, p.state, p.session, p.run, p.since, p.last_seen, _text(p.agent)) for p in presence],
        )
        if dead:
            writing.many(
                _LETTER,
                [(_text(d.topic), d.reason, _text(d.detail), d.payload[:KEPT_PAYLOAD_BYTES], d.received) for d in dead],
            )
            writing.one(
                "DELETE FROM series_dead_letter WHERE id <= (SELECT max(id) FROM series_dead_letter) - ?",
                (KEPT_DEAD_LETTERS,),
            )

    def _keep_identities(self, writing: Writing, fresh: Fresh) -> None:
        day = int(fresh.arrivals.received[-1] // DAY_S)
        writing.many(_STORED, [(*key, bits, day) for key, bits in fresh.blocks.items()])
        if not fresh.arrivals.is_live:
            claimed = [arrival.id for arrival in fresh.arrivals if arrival.basis is not TimeBasis.LIVE]
            writing.each(_UNCLAIM, sorted(claimed))

    def _keep_minutes(self, writing: Writing, fresh: Arrivals) -> None:
        masks, hours = _masks(fresh)
        # Hours first: whoever drops masks of an hour locks it first too, so none can slip in between.
        writing.many(_HOUR, [(hour, fresh.received[-1]) for hour in hours])
        writing.many(_MINUTES, [(*key, *bits) for key, bits in masks.items()])

    def _keep_oddities(self, writing: Writing, fresh: Arrivals) -> None:
        strange = [fresh.arrival(place) for place in fresh.odd]
        if not strange:
            return
        odd: Counter[tuple[str, str]] = Counter()
        impossible: dict[str, tuple[float, int]] = {}
        for arrival in strange:
            odd.update((_UNKNOWN, _text(name[:MAX_ODD_NAME])) for name in arrival.unknown)
            odd.update((_OUT_OF_RANGE, _text(name[:MAX_ODD_NAME])) for name in arrival.out_of_range)
            if arrival.out_of_range:
                last, count = impossible.get(arrival.envelope.sender, (arrival.received, 0))
                names = count + len(arrival.out_of_range)
                impossible[arrival.envelope.sender] = (max(last, arrival.received), names)
        writing.many(_IMPOSSIBLE, [(device, *rest) for device, rest in impossible.items()])
        there = {(oddity, name) for oddity, name in writing.rows("SELECT oddity, name FROM series_odd_name")}
        for (oddity, name), count in odd.items():
            full = (oddity, name) not in there and len(there) >= MAX_ODD_NAMES
            writing.one(_ODD, (oddity, "others" if full else name, count))
            there.add((oddity, name))

    def listened(self, times: Iterable[float]) -> None:
        """Keep that a collector could hear in the minutes of these true times."""
        hours: dict[int, int] = defaultdict(int)
        for at in times:
            hour = int(at // HOUR_S) * HOUR_S
            hours[hour] |= 1 << int((at - hour) // 60)
        with self.database.writing() as writing:
            writing.many(_LISTENING, list(hours.items()))

    # ---- reading -----------------------------------------------------------------------------------------------------

    def minutes(self, start: float, end: float, devices: Collection[str] | None = None) -> Iterator[Minutes]:
        """Give the minute masks of every hour that touches [start, end)."""
        sql = "SELECT device, hour, seen, reachable, unreachable FROM series_minutes WHERE hour > ? AND hour < ?"
        return map(Minutes._make, self._of_devices(sql, [start - HOUR_S, end], devices, "device, hour"))

    def seen(self, start: float, end: float, devices: Collection[str] | None = None) -> dict[str, int]:
        """Give the minutes of [start, end), two whole UTC hours, in which each device measured a round: as `strips`."""
        sql = f"SELECT device, (hour - ?) / {HOUR_S}, seen FROM series_minutes WHERE hour >= ? AND hour < ?"
        rows = self._of_devices(sql, [int(start), int(start), int(end)], devices, "device")
        return strips(rows)

    def listening(self, start: float, end: float) -> dict[int, int]:
        """Give the minutes in which a collector could hear."""
        sql = "SELECT hour, minutes FROM series_listening WHERE hour > ? AND hour < ?"
        return dict(self.database.rows(sql, (start - HOUR_S, end)))

    def presence(self, devices: Collection[str] | None = None) -> Iterator[Presence]:
        """Give the presence of devices that were ever heard of."""
        sql = "SELECT device, state, session, run, since, last_seen, agent FROM series_presence WHERE 1 = 1"
        return (Presence(*row) for row in self._of_devices(sql, [], devices, "device"))

    def _of_devices(
        self, sql: str, values: list[float], devices: Collection[str] | None, order: str
    ) -> list[tuple[Any, ...]]:
        if devices is None:
            return self.database.rows(f"{sql} ORDER BY {order}", values)
        condition, chosen = self.database.among("device", devices)
        return self.database.rows(f"{sql} AND {condition} ORDER BY {order}", [*values, chosen])

    def envelope_count(self, device: str | None = None) -> int:
        """Count stored envelopes: each identity once."""
        where, values = ("", ()) if device is None else (" WHERE sender = ?", (device,))
        rows = self.database.rows(f"SELECT bits FROM series_stored{where}", values)
        return sum(bits.bit_count() for (bits,) in rows)

    def dead_letters(self, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        """Give dead letters with id > after, oldest first."""
        sql = (
            "SELECT id, topic, reason, detail, payload, received FROM series_dead_letter "
            "WHERE id > ? ORDER BY id LIMIT ?"
        )
        return [
            DeadLetter(number, topic, reason, detail, bytes(payload), received)
            for number, topic, reason, detail, payload, received in self.database.rows(sql, (after, limit))
        ]

    def unknown_names(self) -> Mapping[str, int]:
        """Give how often each unknown measurement or quantity name was met."""
        return self._odd_names(_UNKNOWN)

    def out_of_range_names(self) -> Mapping[str, int]:
        """Give how often each quantity had a value that is physically impossible."""
        return self._odd_names(_OUT_OF_RANGE)

    def _odd_names(self, oddity: str) -> dict[str, int]:
        sql = "SELECT name, count FROM series_odd_name WHERE oddity = ? ORDER BY name"
        return dict(self.database.rows(sql, (oddity,)))

    def out_of_range_devices(self) -> Mapping[str, float]:
        """Give when each device last sent a value that is physically impossible."""
        return dict(self.database.rows("SELECT device, last_at FROM series_out_of_range"))

    # ---- housekeeping ------------------------------------------------------------------------------------------------

    def lease(self, name: str, holder: str, now: float, for_s: float) -> bool:
        """Take or prolong the right to a piece of housekeeping; False while another holds it."""
        with self.database.writing() as writing:
            return writing.one(_LEASE, (name, holder, now + for_s, now)) == 1

    def changed_hours(self, start: float, end: float) -> list[tuple[int, int, float]]:
        """Give (hour, changed, touched) of the hours between that have changed since their roll-up."""
        sql = (
            "SELECT hour, changed, touched FROM series_hour "
            "WHERE changed <> rolled AND hour >= ? AND hour < ? ORDER BY hour"
        )
        return [(hour, changed, touched) for hour, changed, touched in self.database.rows(sql, (start, end))]

    def holds(self, name: str, holder: str) -> bool:
        """Tell whether nobody has taken a piece of housekeeping over, be the time of the lease up or not."""
        return bool(self.database.rows("SELECT 1 FROM series_lease WHERE name = ? AND holder = ?", (name, holder)))

    def rolled(self, hour: int, changed: int) -> None:
        """Note that an hour is rolled up as it was when its counter stood so; at 0 it never was."""
        with self.database.writing() as writing:
            writing.one("UPDATE series_hour SET rolled = ? WHERE hour = ?", (changed, hour))

    def forget(self, now: float, most: int) -> bool:
        """Forget identities and offsets of long ago, and rolled hours; True when there may be more."""
        before = int(now // DAY_S) - REMEMBERED_DAYS
        with self.database.writing() as writing:
            gone = [
                writing.one(
                    "DELETE FROM series_stored WHERE (sender, run, block) IN "
                    "(SELECT sender, run, block FROM series_stored WHERE day < ? LIMIT ?)",
                    (before, most),
                ),
                writing.one(
                    "DELETE FROM series_offset WHERE (device, run) IN "
                    "(SELECT device, run FROM series_offset WHERE day < ? LIMIT ?)",
                    (before, most),
                ),
            ]
            writing.one("DELETE FROM series_hour WHERE changed = rolled AND hour < ?", (before * DAY_S,))
        return most in gone


def _blocks(arrivals: Arrivals) -> tuple[dict[Block, int], int]:
    """Give the blocks of identities, and how many different ones there are."""
    blocks: dict[Block, int] = {}
    count = 0
    for (sender, run), numbers in arrivals.numbers().items():
        first, last = min(numbers), max(numbers)
        if first // BITS == last // BITS and numbers == list(range(first, last + 1)):
            blocks[sender, run, first // BITS] = ((1 << len(numbers)) - 1) << first % BITS
            count += len(numbers)
            continue
        for number in numbers:
            key = (sender, run, number // BITS)
            blocks[key] = blocks.get(key, 0) | 1 << number % BITS
        count += len(set(numbers))
    return blocks, count


def _masks(arrivals: Arrivals) -> tuple[dict[tuple[str, int], list[int]], set[int]]:
    """Give the masks seen, reachable, unreachable of each (device, hour), and every hour in which a round lies.

    Availability must not rest on a time that is a guess.
    """
    masks: dict[tuple[str, int], list[int]] = {}
    kinds, senders, bases = arrivals.kinds, arrivals.senders, arrivals.bases
    minutes = [int(at) // 60 for at in arrivals.times]
    if kinds.count(Kind.ROUND) == len(kinds) and arrivals.is_live:
        hours, chosen = set(), arrivals.places
    else:
        rounds = {place for place, kind in enumerate(kinds) if kind is Kind.ROUND}
        hours = {minutes[place] // 60 * HOUR_S for place in rounds}
        sure = {place for place in rounds if bases[place] is not TimeBasis.GUESS}
        chosen = {key: [place for place in places if place in sure] for key, places in arrivals.places.items()}
    for (sender, _), places in chosen.items():
        for minute in {minutes[place] for place in places}:
            hour = minute // 60 * HOUR_S
            hours.add(hour)
            masks.setdefault((sender, hour), [0, 0, 0])[0] |= 1 << minute % 60
    for place, ok in arrivals.reached():
        if kinds[place] is Kind.ROUND and bases[place] is not TimeBasis.GUESS:
            minute = minutes[place]
            masks[senders[place], minute // 60 * HOUR_S][1 if ok else 2] |= 1 << minute % 60
    return masks, hours


def count_within(minutes: Iterable[Minutes], wanted: Mapping[int, int]) -> dict[str, MinuteCounts]:
    """Count the minutes of each device that lie in wanted ones."""
    counts: dict[str, list[int]] = {}
    for device, hour, *masks in minutes:
        mine = counts.setdefault(device, [0, 0, 0])
        inside = wanted.get(hour, 0)
        for place, mask in enumerate(masks):
            mine[place] += (mask & inside).bit_count()
    return {device: MinuteCounts(*sums) for device, sums in counts.items()}


def _text(text: str) -> str:
    """Give a text that PostgreSQL can keep: it has no character number 0."""
    return text.replace("\0", "\ufffd")
