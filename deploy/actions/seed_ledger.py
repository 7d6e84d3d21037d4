"""The note of the webhooks that calstack made, kept in the instance's own database.

It is the comment of the table of webhooks: it lives and dies with them, is in every backup, and is the same
for everybody who seeds the instance, from whichever machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.actions.instance import quoted
from deploy.remote import Remote
from deploy.seed.ledger import Made


@dataclass(frozen=True)
class DatabaseLedger:
    """A `deploy.seed.ledger.Ledger` on the host of an instance."""

    remote: Remote

    def read(self) -> Made:
        """See `Ledger.read`."""
        rows = self.remote.sql("select obj_description('\"Webhook\"'::regclass, 'pg_class');")
        return Made.from_text(rows[0][0])

    def write(self, made: Made) -> None:
        """See `Ledger.write`."""
        self.remote.sql(f'comment on table "Webhook" is {quoted(made.to_text())};')
