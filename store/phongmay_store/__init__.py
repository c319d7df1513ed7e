"""Where data stay: the series (what was measured, in time) and the register (what exists, who may, what was judged)."""
