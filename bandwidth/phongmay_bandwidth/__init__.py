"""The concurrent bandwidth test itself: tickets, orders, server, participant, and the analysis of a run.

Standard library only, on Linux, Windows and macOS: the participant runs inside the agent of every school PC, the server
runs alone at any point of the district's choosing. Who is tested when is decided elsewhere (`phongmay_campaigns`).
"""

PROTOCOL = "phongmay-bw/1"
"""First word of every connection to the server."""
IP_BYTES_PER_PAYLOAD = 1500 / 1448
"""Bytes of IP packets for each byte of TCP payload (full segments with timestamps): goodput to the IP layer."""
BIN_S = 0.1
"""Length of a bin of a series."""
