"""Who may connect: tickets used once, connections counted, and the book of refusals.

The text of a ticket goes in; its claims come out once, or TicketError. Nonces are kept until their ticket would have
expired. Tickets that were issued before this server started are refused: an earlier process may have seen them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from phongmay_bandwidth.ticket import Refusal, Ticket, TicketError, open_ticket

_RUNS_WITH_REFUSALS = 256


class Admission:
    """Book-keeping of tickets.

    Attributes:
        refused: every refusal since the start, by reason.
    """

    def __init__(self, key: bytes, max_connections: int, started: float) -> None:
        self.refused: Counter[Refusal] = Counter()
        self._key = key
        self._max_connections = max_connections
        self._started = started
        self._used: OrderedDict[str, float] = OrderedDict()
        self._by_run: OrderedDict[str, Counter[str]] = OrderedDict()

    def admit(self, text: str, now: float, connections: int) -> Ticket:
        """Check a ticket and use it up.

        Raises:
            TicketError: it is refused; the reason is counted.
        """
        try:
            ticket = open_ticket(self._key, text, now)
        except TicketError as error:
            self.refused[error.refusal] += 1
            raise
        try:
            self._use(ticket, now, connections)
        except TicketError as error:
            self.refuse(ticket.run, error.refusal)
            raise
        return ticket

    def _use(self, ticket: Ticket, now: float, connections: int) -> None:
        if ticket.issued < self._started:
            raise TicketError(Refusal.BEFORE_START)
        while self._used and next(iter(self._used.values())) < now:
            self._used.popitem(last=False)
        if ticket.nonce in self._used:
            raise TicketError(Refusal.REPLAYED)
        if connections >= self._max_connections:
            raise TicketError(Refusal.FULL)
        self._used[ticket.nonce] = ticket.expires

    def refuse(self, run: str, refusal: Refusal) -> None:
        """Count a refusal of a connection that did show a genuine ticket of a run."""
        self.refused[refusal] += 1
        counts = self._by_run.setdefault(run, Counter())
        counts[refusal.value] += 1
        self._by_run.move_to_end(run)
        if len(self._by_run) > _RUNS_WITH_REFUSALS:
            self._by_run.popitem(last=False)

    def of_run(self, run: str) -> dict[str, int]:
        """Give the refusals of one run."""
        return dict(self._by_run.get(run, {}))
