"""Faults on the server's side: what is to go wrong, with which call, how often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LATE_BY_SECONDS = 3.0


class Operation(StrEnum):
    """What a call is for; `ANY` in an order covers every call."""

    INSPECT = "inspect"
    LIST = "list"
    CREATE = "create"
    MODIFY = "modify"
    DELETE = "delete"
    ANY = "any"


class Fault(StrEnum):
    """What goes wrong.

    `TRUNCATED` is applied and half its answer is sent; `HTML` is a gateway's page
    with status 502, nothing applied.  The last four are the exchange's own
    refusals, nothing applied.
    """

    LOST_ANSWER = "lost_answer"
    LATE_APPLY = "late_apply"
    NOT_APPLIED = "not_applied"
    ERROR_AFTER_APPLY = "error_after_apply"
    TRUNCATED = "truncated"
    HTML = "html"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    CLOCK_SKEW = "clock_skew"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Order:
    """A fault for the next `times` matching calls; None = until removed."""

    operation: Operation
    fault: Fault
    times: int | None = 1


class Faults:
    """The orders of one exchange, used up first come, first served."""

    def __init__(self) -> None:
        self._orders: list[Order] = []

    def add(self, order: Order) -> None:
        """Append an order."""
        self._orders.append(order)

    def clear(self) -> None:
        """Remove every order."""
        self._orders.clear()

    def pending(self) -> tuple[Order, ...]:
        """Return the orders that are not used up."""
        return tuple(self._orders)

    def take(self, operation: Operation) -> Fault | None:
        """Use up one matching order and return its fault; None if none matches."""
        for place, order in enumerate(self._orders):
            if order.operation not in (operation, Operation.ANY):
                continue
            if order.times is not None:
                self._use(place, order, order.times - 1)
            return order.fault
        return None

    def _use(self, place: int, order: Order, left: int) -> None:
        if left > 0:
            self._orders[place] = Order(order.operation, order.fault, left)
        else:
            del self._orders[place]
