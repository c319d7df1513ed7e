"""How units stand against every clause, as JSON and CSV."""
