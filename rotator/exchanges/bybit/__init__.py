"""Bybit: an inspector and issuer."""

from rotator.exchanges.bybit.adapter import Bybit
from rotator.exchanges.bybit.sheet import PROFILE, ROUTES

__all__ = ["PROFILE", "ROUTES", "Bybit"]
