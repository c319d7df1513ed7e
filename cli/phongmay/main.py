"""Entry of the command `phongmay`: arguments in, exit code out (0 well, 1 a finding, 2 something to mend first)."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

from phongmay import commands
from phongmay.settings import DEFAULT_PATH
from phongmay_contract.errors import OperatorError


def build_parser() -> argparse.ArgumentParser:
    """Make the parser with every verb that `commands` holds."""
    parser = argparse.ArgumentParser(prog="phongmay", description="Evidence for the computer rooms of a district.")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help="settings file (default: %(default)s)")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda info: info.name):
        importlib.import_module(f"{commands.__name__}.{module.name}").add(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except OperatorError as error:
        print(f"phongmay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
