"""`scripts/bench verify`: what it costs to verify the chains of a district, and what holding the quoted facts adds.

500 PCs in 20 schools, judged once by all packs in force. Reference: the same chains verified without their facts, and a
bare SELECT of all verdict rows in the same process.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from benchmarks._arguments import Arguments
from benchmarks._district import Size, lay_out, register_url, series_path
from phongmay_rules.chain.verifying import Report, units_with_chain, verify
from phongmay_rules.engine import evaluate
from phongmay_rules.loader import packs_in_force
from phongmay_rules.settings import RulesSettings
from phongmay_store.register.compliance import Verdict
from phongmay_store.register.engine import open_register
from phongmay_store.series import open_reader
from phongmay_store.settings import StoreSettings

DISTRICT = Size(20, 25)
REPEATS = 3


def run(arguments: list[str]) -> None:
    """Measure and print."""
    Arguments("verify", __doc__).parse_args(arguments)
    pack = packs_in_force(RulesSettings())
    with tempfile.TemporaryDirectory(prefix="phongmay-bench-") as name:
        folder = Path(name)
        at = lay_out(folder, [register_url(folder)], DISTRICT)
        register = open_register(register_url(folder))
        with closing(open_reader(StoreSettings(series_path=series_path(folder)))) as series:
            evaluate(sessionmaker(register), series, pack, at=at)
        with sessionmaker(register)() as session:

            def reports(*, with_facts: bool) -> list[Report]:
                return [verify(session, u, (), pack, with_facts=with_facts) for u in units_with_chain(session)]

            found = reports(with_facts=True)
            if not all(report.is_sound for report in found):
                raise RuntimeError("the chains of the benchmark are not sound")
            bare = _seconds(lambda: session.execute(select(*Verdict.__table__.columns)).all())
            without = _seconds(lambda: reports(with_facts=False))
            whole = _seconds(lambda: reports(with_facts=True))
        register.dispose()
    links, facts = sum(report.links for report in found), sum(report.facts for report in found)
    print(f"{'figure':<16}{'value':>10}   reference of the same run")
    print(f"{'verify_s':<16}{whole:>10.3f}   {links} links and {facts} quoted facts; {whole / bare:.1f} x the SELECT")
    print(f"{'links_only_s':<16}{without:>10.3f}   {without / bare:.1f} x the SELECT")
    print(f"{'select_s':<16}{bare:>10.3f}   bare SELECT of all verdict rows")
    print(f"{'facts_ratio':<16}{whole / without:>10.2f}   verifying with facts against without")
    print(
        json.dumps(
            {"verify_s": round(whole, 3), "links_only_s": round(without, 3), "select_s": round(bare, 3),
             "facts_ratio": round(whole / without, 2)}
        )
    )  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return statistics.median(once() for _ in range(REPEATS))
