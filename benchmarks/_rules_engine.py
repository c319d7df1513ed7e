"""The process that `benchmarks.rules` measures: one engine in one thread, told by lines of its input what to do.

    evaluate AT            judge all schools at a Unix time
    follow AT DEVICE       look at one device at a Unix time
    select                 a bare SELECT of all present facts

Each is answered by one JSON line: seconds, facts, changed, peak (MiB of resident memory so far, pages of mapped files
among it), anonymous (the same without them: what the process itself holds).
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from benchmarks._district import series_path
from phongmay_rules.engine import Engine
from phongmay_rules.loader import packs_in_force
from phongmay_rules.settings import RulesSettings
from phongmay_store.register.compliance import CurrentFact, Fact
from phongmay_store.register.engine import open_register
from phongmay_store.series import open_reader
from phongmay_store.settings import StoreSettings


def main(folder: Path, url: str) -> None:
    """Do what the lines say until the input ends."""
    settings = RulesSettings()
    register = open_register(url)
    engine = Engine(
        sessionmaker(register), packs_in_force(settings), interval_s=settings.interval_s,
        run_row_s=settings.run_row_s, recount_s=settings.recount_s,
    )  # fmt: skip
    memory = _Memory()
    memory.start()
    with closing(open_reader(StoreSettings(series_path=series_path(folder)))) as series:
        for line in sys.stdin:
            verb, *words = line.split()
            before = time.process_time()
            start = time.monotonic()
            facts = changed = 0
            if verb == "select":
                with Session(register) as session:
                    facts = len(session.execute(_FACTS).all())
            else:
                at = datetime.fromtimestamp(float(words[0]), UTC)
                found = (
                    engine.evaluate(series, at=at) if verb == "evaluate" else engine.follow(series, words[1:], at=at)
                )
                facts, changed = found.facts, found.changed
            answer = {
                "seconds": time.monotonic() - start, "cpu_s": time.process_time() - before, "facts": facts,
                "changed": changed, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "anonymous": memory.peak_mib,
            }  # fmt: skip
            print(json.dumps(answer), flush=True)


class _Memory(threading.Thread):
    """Looks ten times a second at how much memory the process holds that is of no file.

    The system keeps a peak of all resident memory only, and to that the readers' mapped pages belong, which it takes
    back whenever it likes.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mib = 0.0

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines())
            self.peak_mib = max(self.peak_mib, int(fields["RssAnon"].split()[0]) / 1024)
            time.sleep(0.1)


_FACTS = select(
    Fact.id, Fact.subject_kind, Fact.subject_id, Fact.name, Fact.number, Fact.text, Fact.missing, Fact.valid_at
).join(CurrentFact, CurrentFact.fact_id == Fact.id)  # fmt: skip

if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
