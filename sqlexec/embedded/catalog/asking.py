"""What the catalog needs to know of the session that asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlexec.embedded.catalog.security import Principal
    from sqlexec.embedded.engine import Connection


class Asking(Protocol):
    """A session: whose transaction sees what, who asks, and where.

    `open_database` changes `principal` and `database`; nothing else is written to.
    """

    principal: Principal
    database: str

    @property
    def connection(self) -> Connection: ...

    @property
    def temporary_tables(self) -> Mapping[str, object]: ...
