"""Rules with their clauses, duties and figures."""
