"""Tokens and the identities that machines get for them."""
