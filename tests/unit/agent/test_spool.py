"""The spool forgets on receipts only, survives kill -9, keeps its bound, and never keeps the agent from starting."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from phongmay_agent.spool import Spool, SpoolError
from phongmay_contract.envelope import Envelope, Group, Instant, Receipt, encode_stored
from phongmay_contract.topics import Kind

RUN, OLD = "a" * 16, "b" * 16
MAX = 1 << 20


def envelope(seq: int, run: str = RUN, filling: int = 0) -> Envelope:
    """Make an envelope of about a certain size."""
    group = Group("hardware", {"os_id": "x" * filling})
    return Envelope(Kind.ROUND, "pc-test", run, seq, Instant(1.5, 2.25), "0.1.0", (group,))


def keys(spool: Spool, **kwargs: object) -> list[tuple[str, int]]:
    """Give what waits, oldest first."""
    return [(e.run, e.seq) for e in spool.pending(10_000, 1 << 30, **kwargs)]  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a spool goes."""
    return tmp_path / "state" / "spool.db"


def test_an_envelope_comes_back_as_it_went_in(path: Path) -> None:
    """Also after the file was closed; nobody else may read it."""
    spool = Spool(path, MAX)
    spool.append(envelope(1, filling=50))
    spool.close()
    again = Spool(path, MAX)
    assert again.pending(10, MAX) == [envelope(1, filling=50)]
    assert (again.count, again.dropped, again.set_aside) == (1, 0, 0)
    assert path.stat().st_mode & 0o077 == 0


def test_only_receipts_make_it_forget(path: Path) -> None:
    """By run and sequence number: a range that is stored, one that is refused, and nothing of another run."""
    spool = Spool(path, MAX)
    for seq in range(1, 8):
        spool.append(envelope(seq))
    for seq in (2, 3):
        spool.append(envelope(seq, OLD))
    spool.forget([Receipt(RUN, ((2, 3), (5, 5)), ((7, "wrong_type"),)), Receipt("c" * 16, ((0, 99),))])
    assert keys(spool) == [(RUN, 1), (RUN, 4), (RUN, 6), (OLD, 2), (OLD, 3)]
    left = sum(len(encode_stored(e)) for e in spool.pending(99, MAX))
    spool.close()
    again = Spool(path, MAX)
    assert (again.count, again.size_bytes) == (spool.count, spool.size_bytes)
    assert left < again.size_bytes
    again.forget([Receipt(RUN, ((1, 99),)), Receipt(OLD, ((1, 99),))])
    assert (again.count, again.size_bytes, again.dropped) == (0, 0, 0)


def test_what_is_on_its_way_is_not_given_again(path: Path) -> None:
    """Backfill must not repeat a live envelope that waits for its receipt."""
    spool = Spool(path, MAX)
    for seq in range(1, 5):
        spool.append(envelope(seq))
    assert keys(spool, without={(RUN, 1), (RUN, 3)}) == [(RUN, 2), (RUN, 4)]


def test_a_batch_has_two_bounds_but_is_never_empty(path: Path) -> None:
    """So many envelopes, so many bytes; one large envelope still goes alone."""
    spool = Spool(path, MAX)
    for seq in range(1, 6):
        spool.append(envelope(seq, filling=1000))
    assert len(spool.pending(2, MAX)) == 2
    assert len(spool.pending(60, 2500)) == 2
    assert len(spool.pending(60, 1)) == 1


def test_a_full_spool_drops_the_oldest_and_counts(path: Path) -> None:
    """The size stays under its bound, also on the disk; what is left is the newest; the count survives a restart."""
    spool = Spool(path, 512 * 1024)
    for seq in range(1, 1001):
        spool.append(envelope(seq, filling=2000))
        assert spool.size_bytes <= 512 * 1024
    kept = [seq for _, seq in keys(spool)]
    assert kept == list(range(1001 - len(kept), 1001))
    assert len(kept) > 150
    assert spool.dropped == 1000 - len(kept)
    spool.close()
    assert path.stat().st_size < 2 * 512 * 1024
    assert Spool(path, 512 * 1024).dropped == 1000 - len(kept)


def test_the_same_envelope_twice_is_one(path: Path) -> None:
    """Identity is (run, seq)."""
    spool = Spool(path, MAX)
    spool.append(envelope(1))
    spool.append(envelope(1))
    assert spool.count == 1


CHILD = """
import os, sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_spool import envelope
from phongmay_agent.spool import Spool
spool = Spool(Path({path!r}), 1 << 24)
for seq in range(1, 100_000):
    spool.append(envelope(seq, filling=300))
    os.write(1, b"%d\\n" % seq)
"""


def test_it_survives_kill_9(path: Path) -> None:
    """Whatever append returned for is there after kill -9 in full course; at most the one in hand beyond it."""
    script = CHILD.format(folder=str(Path(__file__).parent), path=str(path))
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert child.stdout is not None
    for _ in range(200):
        assert child.stdout.readline()
    child.kill()
    rest = child.stdout.read()
    child.wait(10)
    last = int((rest or b"200\n").split()[-1])
    spool = Spool(path, 1 << 24)
    assert spool.set_aside == 0
    assert [seq for _, seq in keys(spool)] in (list(range(1, last + 1)), list(range(1, last + 2)))


@pytest.mark.parametrize(
    "rubbish", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 8192]
)
def test_a_broken_file_is_set_aside(path: Path, rubbish: bytes) -> None:
    """The agent starts with a new spool, says so, and a person can look at the old file."""
    path.parent.mkdir()
    path.write_bytes(rubbish)
    spool = Spool(path, MAX)
    assert spool.set_aside == 1
    assert path.with_name("spool.db.broken").read_bytes() == rubbish
    spool.append(envelope(1))
    assert keys(spool) == [(RUN, 1)]


def rot(path: Path) -> None:
    """Turn every page but the first into rubbish, under a running agent."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


def filled(path: Path) -> Spool:
    """Give an open spool that is larger than SQLite's cache."""
    spool = Spool(path, 1 << 24)
    for seq in range(1, 1001):
        spool.append(envelope(seq, filling=2000))
    return spool


@pytest.mark.parametrize("reopened", [False, True])
def test_a_spool_that_rots_is_set_aside_and_measuring_goes_on(path: Path, reopened: bool) -> None:
    """Pages that turn to rubbish, in use or while the PC was off, cost what they held, not the agent."""
    spool = filled(path)
    if reopened:
        spool.close()
    rot(path)
    if reopened:
        spool = Spool(path, 1 << 24)
    assert keys(spool) == []
    spool.append(envelope(1001))
    assert (spool.set_aside, spool.in_memory) == (1, False)
    assert keys(spool) == [(RUN, 1001)]


def test_a_spool_that_can_not_even_be_replaced_goes_on_in_memory(path: Path) -> None:
    """The disk is gone in mid-run: what is measured from now on still waits for its receipt, within a bound."""
    spool = filled(path)
    rot(path)
    path.with_name("spool.db.broken").mkdir()
    (path.with_name("spool.db.broken") / "in-the-way").touch()
    assert keys(spool) == []
    for seq in range(1001, 4001):
        spool.append(envelope(seq, filling=2000))
    assert spool.in_memory
    assert spool.size_bytes <= 4 << 20
    assert keys(spool)[-1] == (RUN, 4000)
    spool.forget([Receipt(RUN, ((1, 4000),))])
    assert spool.count == 0


def test_a_rotten_envelope_does_not_stop_the_others(path: Path) -> None:
    """One payload that cannot be read is dropped and counted; the batch goes on."""
    spool = Spool(path, MAX)
    for seq in (1, 2, 3):
        spool.append(envelope(seq))
    spool.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE envelope SET payload = x'00' WHERE seq = 2")
    connection.close()
    spool = Spool(path, MAX)
    assert keys(spool) == [(RUN, 1), (RUN, 3)]
    assert (spool.count, spool.dropped) == (2, 1)


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    """A mistyped spool_file must not cost another program its data."""
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="another program"):
        Spool(path, MAX)
    assert path.read_bytes() == before


def test_two_agents_do_not_share_a_spool(path: Path) -> None:
    """The second one says so instead of becoming the clone of the first."""
    spool = Spool(path, MAX)
    with pytest.raises(SpoolError, match="another agent"):
        Spool(path, MAX)
    spool.append(envelope(1))


@pytest.mark.parametrize("where", ["/proc/phongmay/spool.db", "/dev/null/spool.db"])
@pytest.mark.skipif(os.name != "posix", reason="places that nobody can write")
def test_a_place_that_cannot_be_written_is_named(where: str) -> None:
    """The sentence has the path and the key."""
    with pytest.raises(SpoolError, match=rf"{where}.*spool_file"):
        Spool(Path(where), MAX)


def test_a_full_disk_makes_room_by_dropping_the_oldest(path: Path) -> None:
    """SQLite's own page limit plays the full disk: appending goes on, the oldest go and are counted."""
    spool = Spool(path, 1 << 24)
    spool._connection.execute("PRAGMA max_page_count = 40")
    for seq in range(1, 201):
        spool.append(envelope(seq, filling=1000))
    kept = [seq for _, seq in keys(spool)]
    assert kept[-1] == 200
    assert kept == list(range(201 - len(kept), 201))
    assert spool.dropped == 200 - len(kept)
