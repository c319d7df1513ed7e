"""One line of progress on a terminal, written over itself; nothing where the output goes to a file."""

from __future__ import annotations

import sys

WIDTH = 24


class Progress:
    """A bar with a share and words behind it."""

    def __init__(self) -> None:
        self._shown = sys.stdout.isatty()

    def show(self, share: float, words: str) -> None:
        """Show how much is done (0 to 1)."""
        if self._shown:
            done = round(min(max(share, 0.0), 1.0) * WIDTH)
            print(f"\r[{'#' * done}{'.' * (WIDTH - done)}] {share:>4.0%}  {words}\x1b[K", end="", flush=True)

    def end(self) -> None:
        """Go on to the next line."""
        if self._shown:
            print()
