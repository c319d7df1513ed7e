"""What travels between agents, broker and server: topics, envelopes, units and the catalogue of quantities.

Nothing here opens a file or a socket, and nothing beyond the standard library is imported: the same code runs on
a school PC and on the server.
"""

SCHEMA_VERSION = 1
"""Version of the wire format. It is part of every topic and of every message."""
