"""One run as people read it: its page's charts, its PDF and its CSV, in Vietnamese and English."""
