"""The service behind every transport: cycles in order, each in the ledger before it is answered."""

from .service import Answered, CycleConflict, Ordered, Service, ServiceBusy

__all__ = ["Answered", "CycleConflict", "Ordered", "Service", "ServiceBusy"]
