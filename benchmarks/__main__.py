"""`scripts/bench NAME`: runs one benchmark module of this folder; without a name or with `--help`: lists them.

A name or word that nobody knows is refused with one sentence and 2.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from phongmay_contract.errors import OperatorError


def main(arguments: list[str]) -> int:
    """Run the named benchmark, or list them."""
    names = sorted(
        info.name
        for info in pkgutil.iter_modules([str(Path(__file__).parent)])
        if not info.name.startswith("_")
    )  # fmt: skip
    there = "Benchmarks: " + ", ".join(names)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(there)
        return 0
    try:
        if arguments[0] not in names:
            raise OperatorError(f"there is no benchmark {arguments[0]!r}. {there}")
        importlib.import_module(f"benchmarks.{arguments[0]}").run(arguments[1:])
    except OperatorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
