"""Disordered crystals: the ordered ones that they most likely are, and hosts whose only disorder is the working ion."""

from ionvolt.ordering.hosts import PartlyFilled, host_of
from ionvolt.ordering.order import order
from ionvolt.ordering.records import Ordering, Orderings, OrderSettings

__all__ = ["OrderSettings", "Ordering", "Orderings", "PartlyFilled", "host_of", "order"]
