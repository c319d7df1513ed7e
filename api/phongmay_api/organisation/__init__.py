"""Organisation units and rooms."""
