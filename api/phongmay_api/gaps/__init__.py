"""The priced gap list over HTTP."""
