"""Server-rendered pages in Vietnamese and English."""
