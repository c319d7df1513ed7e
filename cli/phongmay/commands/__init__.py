"""One module a verb. Each has `add(commands)`, which declares the verb and sets `run` to its function.

`run(args) -> int` gives the exit code; OperatorError may pass through: `phongmay.main` prints its sentence and ends
with 2.
"""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What `add` gets; a text, since the class is generic for type checkers only."""
