"""Roll-ups on InfluxDB: gauges by the hour and minute masks, written by us so that every version has the same.

In: an hour that is over. Out: points in the database of what is kept: `hourly_<measurement>` (samples, low, high, mean
of each gauge) and `minutes` (the masks, and their number of minutes, since InfluxQL cannot count bits). Masks leave the
register when their hour is rolled up and old. Everything may be repeated. StoreError passes through.
"""
# ruff: noqa: S608 - literals and names come from influx_words, which lets nothing end one

from __future__ import annotations

from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_store.series.influx_server import InfluxServer, Series
from phongmay_store.series.influx_weeks import MINUTES, InfluxWeeks
from phongmay_store.series.influx_words import GUESSED, name, tag_back, tag_text
from phongmay_store.series.quantities import gauges
from phongmay_store.series.state import DAY_S, HOUR_S, State

MASKS = ("seen", "reachable", "unreachable")
IN_REGISTER_S = 2 * DAY_S
"""Masks stay in the register for so long: nearly all late rounds come within it."""


def hourly_measurement(measurement: str) -> str:
    """Give the name under which the hours of a measurement are kept."""
    return f"hourly_{measurement}"


def hourly_fields(quantity: str) -> tuple[str, str, str, str]:
    """Give the names of the four fields of a gauge: samples, low, high, mean."""
    return f"{quantity}_samples", f"{quantity}_low", f"{quantity}_high", f"{quantity}_mean"


class InfluxHours:
    """The pieces of housekeeping on InfluxDB; see `housekeeping.Work`."""

    def __init__(self, server: InfluxServer, state: State, weeks: InfluxWeeks, raw: str, kept: str) -> None:
        self._server, self._state, self._weeks, self._raw, self._kept = server, state, weeks, raw, kept

    def roll(self, measurement: str, hour: int) -> bool:
        """Roll up an hour of a measurement, all devices at once."""
        quantities = [quantity.name for quantity in gauges(MEASUREMENTS[measurement])]
        asked = ", ".join(
            f"{function}({name(quantity)}) AS {name(field)}"
            for quantity in quantities
            for function, field in zip(("count", "min", "max", "mean"), hourly_fields(quantity), strict=True)
        )
        statement = (
            f"SELECT {asked} FROM {name(measurement)} WHERE time >= {hour}000000000 "
            f'AND time < {hour + HOUR_S}000000000 GROUP BY "device", "part", {name(GUESSED)}'
        )
        lines = [
            _hourly_line(measurement, hour, quantities, series)
            for series in self._server.query(self._raw, statement)
            if not series.tags.get(GUESSED)
        ]
        self._server.write(self._kept, [line.encode() for line in lines if line])
        return False

    def finish(self, hour: int) -> None:
        """Write the minute masks of an hour, joined with those that the server has."""
        masks = {row.device: list(row[2:]) for row in self._state.minutes(hour, hour + 1)}
        if not masks:
            return
        statement = (
            f'SELECT "seen", "reachable", "unreachable" FROM {name(MINUTES)} WHERE time = {hour}000000000 '
            'GROUP BY "device"'
        )
        for series in self._server.query(self._kept, statement):
            device = tag_back(series.tags["device"])
            for _, *bits in series.values if device in masks else ():
                masks[device] = [one | two for one, two in zip(masks[device], bits, strict=True)]
        lines = []
        for device, bits in masks.items():
            fields = [f"{key}={mask}i,{key}_minutes={mask.bit_count()}i" for key, mask in zip(MASKS, bits, strict=True)]
            lines.append(f"{MINUTES},device={tag_text(device)} {','.join(fields)} {hour}000000000")
        self._server.write(self._kept, [line.encode() for line in lines])
        self._weeks.join(hour, masks)

    def tidy(self, now: float) -> bool:
        """Pack masks that lie by the hour, or take those of one old hour, which the server has, out of the register."""
        if self._weeks.pack(now):
            return True
        with self._state.database.writing() as writing:
            rows = writing.rows(
                "SELECT m.hour FROM series_minutes AS m JOIN series_hour AS h ON h.hour = m.hour "
                "WHERE m.hour < ? AND h.changed = h.rolled LIMIT 1",
                (int(now) - IN_REGISTER_S,),
            )
            if not rows:
                return False
            (hour,) = rows[0]
            # Locks the hour; whoever adds to its masks touches it first, so nothing that was not rolled up is dropped.
            sql = "UPDATE series_hour SET rolled = rolled WHERE hour = ? AND changed = rolled"
            if writing.one(sql, (hour,)) == 1:
                writing.one("DELETE FROM series_minutes WHERE hour = ?", (hour,))
        return True

    def doubt(self) -> None:
        """Read the week that was written last by its hours, until it is packed again."""
        self._weeks.unpack()


def _hourly_line(measurement: str, hour: int, quantities: list[str], series: Series) -> str:
    fields: list[str] = []
    for cells in series.rows():
        for quantity in quantities:
            samples, low, high, mean = hourly_fields(quantity)
            if cells[samples]:
                fields.append(f"{samples}={cells[samples]}i")
                fields += (f"{key}={float(cells[key])!r}" for key in (low, high, mean))
    if not fields:
        return ""
    tags = f"device={tag_text(tag_back(series.tags['device']))}"
    tags += f",part={tag_text(tag_back(series.tags['part']))}" if series.tags.get("part") else ""
    return f"{hourly_measurement(measurement)},{tags} {','.join(fields)} {hour}000000000"
