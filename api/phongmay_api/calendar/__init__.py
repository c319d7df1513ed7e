"""Calendars of units and timetables of rooms: entered, taken back, exchanged as iCalendar."""
