"""Benchmarks of the project: each prints a readable table and, as its last line, one JSON object.

A figure stands beside a reference that was measured in the same run; on shared machines only the ratio is robust.
"""
