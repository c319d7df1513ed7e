"""How devices, rooms and schools stand at this moment."""
