"""`scripts/bench NAME`: runs one benchmark module of this folder."""

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
    if not arguments or arguments[0] not in names:
        print("Benchmarks: " + ", ".join(names), file=sys.stderr)
        return 0 if not arguments else 2
    try:
        importlib.import_module(f"benchmarks.{arguments[0]}").run(arguments[1:])
    except OperatorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


sys.exit(main(sys.argv[1:]))
