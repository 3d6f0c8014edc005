"""Rotator: the life of exchange API keys that are kept in HashiCorp Vault."""

__version__ = "0.1.0"
