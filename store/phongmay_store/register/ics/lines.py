"""Where things stand in an iCalendar file: its text goes in, the line of every event and property comes out.

The library that reads the values does not tell lines, and people mend files by line. A line that is no content line,
or a component that is not closed, raises IcsError with its number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from icalendar.parser import Contentline

from phongmay_store.register.calendar import CalendarError


class IcsError(CalendarError):
    """An iCalendar file that cannot be taken; the sentence names file and line."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}: line {line}: {what}")


@dataclass
class EventLines:
    """Lines of one event.

    Attributes:
        line: number of its BEGIN line, counted from 1.
        properties: number of the first line of each property.
    """

    line: int
    properties: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """Give the line of a property; of the event when it has none."""
        return self.properties.get(name, self.line)


def find_events(text: str, file: str) -> list[EventLines]:
    """Give the lines of all events in the order of the file, having checked that every line can be read.

    Raises:
        IcsError: names the first line that is wrong.
    """
    open_components: list[tuple[str, int]] = []
    events: list[EventLines] = []
    for number, line in _unfolded(text):
        try:
            name, _, value = Contentline(line).parts()  # type: ignore[no-untyped-call] # the library's class has no types
        except ValueError as error:
            raise IcsError(file, number, f"{line[:60]!r} is no line of an iCalendar file") from error
        name, value = name.upper(), value.strip().upper()
        if name == "BEGIN":
            if not open_components and value != "VCALENDAR":
                raise IcsError(file, number, f"expected BEGIN:VCALENDAR, found {line[:60]!r}")
            open_components.append((value, number))
            if value == "VEVENT":
                events.append(EventLines(number))
        elif name == "END":
            if not open_components or open_components[-1][0] != value:
                inner = open_components[-1][0] if open_components else "nothing"
                raise IcsError(file, number, f"END:{value} ends {inner}")
            open_components.pop()
        elif not open_components:
            raise IcsError(file, number, f"expected BEGIN:VCALENDAR, found {line[:60]!r}")
        elif open_components[-1][0] == "VEVENT":
            events[-1].properties.setdefault(name, number)
    if open_components:
        raise IcsError(file, open_components[-1][1], f"BEGIN:{open_components[-1][0]} is never ended")
    return events


def _unfolded(text: str) -> list[tuple[int, str]]:
    """Give content lines with the number of their first line; a line that begins with a blank continues the last."""
    out: list[tuple[int, str]] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if line[:1] in (" ", "\t") and out:
            out[-1] = (out[-1][0], out[-1][1] + line[1:])
        elif line.strip():
            out.append((number, line))
    return out
