"""Words behind `scripts/bench NAME`: what a benchmark takes goes in, values come out; a word that it does not take is
refused with one sentence before anything is measured. `--help` prints the benchmark's own first docstring.
"""

from __future__ import annotations

import argparse
from typing import NoReturn

from phongmay_contract.errors import OperatorError


class Arguments(argparse.ArgumentParser):
    """Reads the words of one benchmark.

    Args:
        name: of the benchmark.
        doc: first docstring of its module.
    """

    def __init__(self, name: str, doc: str | None) -> None:
        super().__init__(
            prog=f"scripts/bench {name}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        """Refuse.

        Raises:
            OperatorError: always.
        """
        raise OperatorError(f"{message}; '{self.prog} --help' tells what it takes")
