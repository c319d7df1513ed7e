"""Series: measured values by (device, part, time), written once by the collector and read by everyone else."""
