"""One canonical line for each notable thing: `event key=value ...`; what goes away is said once, and once when back."""

from __future__ import annotations

import json
import logging

LOGGER = logging.getLogger("phongmay.collector")


def event(name: str, /, *, level: int = logging.INFO, **facts: object) -> None:
    """Log one line, e.g. `store_back away_s=12.1`."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s", " ".join([name, *(f"{key}={_text(value)}" for key, value in facts.items())]))


def _text(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    plain = text and not any(sign.isspace() or sign in '"=' or not sign.isprintable() for sign in text)
    return text if plain else json.dumps(text, ensure_ascii=True)


class Availability:
    """Whether something that the collector needs is there: says so once when it goes and once when it is back."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since: float | None = None

    @property
    def is_away(self) -> bool:
        """Whether it was away at the last word."""
        return self._since is not None

    def away(self, now: float, reason: str) -> None:
        """Note that it does not answer."""
        if self._since is None:
            self._since = now
            event(f"{self._name}_away", level=logging.WARNING, reason=reason)

    def back(self, now: float) -> None:
        """Note that it answers."""
        if self._since is not None:
            event(f"{self._name}_back", level=logging.WARNING, away_s=now - self._since)
            self._since = None
