"""A school in network namespaces: PCs, bridge, router, shaped line(s) with delay, broker and bandwidth server beyond.

Used by `scripts/bench bandwidth` and tests/lab. All of it lives in namespaces of its own (`unshare`), as root or in an
unprivileged user namespace, and vanishes with its process.
"""
