"""The priced gap list: what it costs to turn each failing verdict green, and which schools come first in a budget."""
