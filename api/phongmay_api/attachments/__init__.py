"""Papers and photographs that an organisation unit has handed in."""
