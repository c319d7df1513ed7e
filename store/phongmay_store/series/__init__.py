"""Series: measured values by (device, part, time), written once by the collector and read by everyone else."""

from phongmay_store.series.opening import OpenReader, Readers, open_reader, open_writer, readers

__all__ = ["OpenReader", "Readers", "open_reader", "open_writer", "readers"]
