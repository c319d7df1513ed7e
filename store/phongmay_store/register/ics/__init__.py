"""iCalendar (RFC 5545) in and out: files of events become calendar entries of a unit, and the other way round."""
