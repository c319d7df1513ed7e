"""Declared facts: what a school says of itself, beside what is measured, with papers and photographs."""
