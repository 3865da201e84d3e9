"""Prices for a loop: of files, of a URL, of a tariff; each with where it is from, its window and its age."""

from .source import PriceError, PriceSource, PriceTable

__all__ = ["PriceError", "PriceSource", "PriceTable"]
