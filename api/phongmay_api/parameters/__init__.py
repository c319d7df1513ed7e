"""Parameters of the packs as they hold for a unit, and setting them."""
