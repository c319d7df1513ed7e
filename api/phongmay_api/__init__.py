"""HTTP: JSON under /api/v1 and the pages in Vietnamese and English."""
