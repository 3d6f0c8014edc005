"""Exchanges to test against: one ledger of meaning, one wire costume per exchange."""
