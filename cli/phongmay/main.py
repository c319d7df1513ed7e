"""Entry of the command `phongmay`: arguments in, exit code out (0 well, 1 a finding, 2 something to mend first).

Whoever reads the output may stop reading (`| head`): that ends the command quietly with 141, as a shell expects.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import select
import sys
from collections.abc import Sequence
from pathlib import Path

from phongmay import commands
from phongmay.settings import DEFAULT_PATH
from phongmay_contract.errors import OperatorError

READER_GONE = 141
"""128 + SIGPIPE."""


def build_parser(only: str = "") -> argparse.ArgumentParser:
    """Make the parser.

    Args:
        only: a verb that is known to be meant; the others, and all that they import, are left out. "" takes all.
    """
    parser = argparse.ArgumentParser(prog="phongmay", description="Evidence for the computer rooms of a district.")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help="settings file (default: %(default)s)")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    names = verb_names()
    for name in [only] if only in names else names:
        importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}").add(verbs)
    return parser


def verb_names() -> list[str]:
    """Give every verb: the modules of `commands`, with - for _."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))


def named_verb(argv: Sequence[str]) -> str:
    """Find the verb among arguments that are not parsed yet; "" when it cannot be told, or help is wanted."""
    rest = iter(argv)
    for argument in rest:
        if argument == "--config":
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
        elif not argument.startswith("--config="):
            return ""
    return ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    arguments = sys.argv[1:] if argv is None else argv
    args = build_parser(named_verb(arguments)).parse_args(arguments)
    try:
        code: int = args.run(args)
        sys.stdout.flush()  # what is still in the buffer would otherwise fail when nobody can catch it
    except OperatorError as error:
        print(f"phongmay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        return READER_GONE
    except Exception as error:
        said = _of_the_database(error)
        if said:
            print(f"phongmay: register: {said}", file=sys.stderr)
            return 2
        raise
    return code


def _of_the_database(error: Exception) -> str:
    """Say what a database's error means; "" when it is none. Verbs without a register never load SQLAlchemy."""
    if "sqlalchemy" not in sys.modules:
        return ""
    from sqlalchemy.exc import SQLAlchemyError

    from phongmay_store.register.failures import sentence

    return sentence(error) if isinstance(error, SQLAlchemyError) else ""


def _reader_is_gone() -> bool:
    """Tell whether standard output is the broken pipe; if so what is left is thrown away, so that exit stays quiet."""
    out = sys.stdout.fileno()
    ends = select.poll()
    ends.register(out, 0)
    if not any(events & select.POLLERR for _, events in ends.poll(0)):
        return False  # it was another pipe or connection that broke
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out)
    os.close(nowhere)
    return True


if __name__ == "__main__":
    sys.exit(main())
