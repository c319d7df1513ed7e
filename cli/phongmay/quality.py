"""`phongmay rules quality`: the four scores of the data of each school, with what they count; nothing is written."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import closing

from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_contract.units import Unit
from phongmay_rules.explain import format_value
from phongmay_rules.quality import DEFINITIONS, FAULTS, Score, Share, quality, total
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.series import open_reader


def add(verbs: Commands) -> None:
    """Declare the verb below `phongmay rules`."""
    parser = verbs.add_parser("quality", help="four scores of each school's data: alive, clean, complete, right")
    parser.add_argument("--unit", help="only this unit and what is below it: id or issuer:value")
    parser.add_argument("--lang", choices=("vi", "en"), default="vi", help="language (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print scores, sums and definitions."""
    settings = load(args.config)
    register = open_register(settings.store.register_url)
    require_current(register)
    with closing(open_reader(settings.store)) as series, Session(register) as session:
        found = quality(session, series, args.unit)
    vi = args.lang == "vi"
    for school in found:
        print(school.name)
        for line in _lines(school.scores, vi):
            print(line)
    print("Cộng (tổng số đếm, không phải trung bình)" if vi else "Sum (of counts, no mean of shares)")
    for line in _lines(total(found), vi):
        print(line)
    stopped = [school.name for school in found if school.engine_stopped]
    if stopped:
        names, many = ", ".join(stopped), f"{len(stopped)} school{'' if len(stopped) == 1 else 's'}"
        print(f"Cảnh báo: bộ đánh giá đã ngừng ở {len(stopped)} trường: {names}" if vi
              else f"Warning: the rules engine has stopped for {many}: {names}")  # fmt: skip
    for about in DEFINITIONS.values():
        print(f"{about.word_vi}: {about.vi}." if vi else f"{about.word_en}: {about.en}.")
    return 0


def _lines(scores: Mapping[Score, Share], vi: bool) -> Iterator[str]:
    language = "vi" if vi else "en"
    for score, share in scores.items():
        word = DEFINITIONS[score].word_vi if vi else DEFINITIONS[score].word_en
        ratio = format_value(share.ratio, Unit.RATIO, language)
        missing = format_value(share.unknown_ratio or 0.0, Unit.RATIO, language)
        faults = "".join(f"; {FAULTS[name][not vi]}: {count}" for name, count in share.faults.most_common())
        unknown = f"chưa rõ {share.unknown} ({missing})" if vi else f"{share.unknown} unknown ({missing})"
        yield f"  {word}: {share.good}/{share.total} = {ratio}; {unknown}{faults}"
