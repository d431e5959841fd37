"""The catalog: databases, objects, principals and permissions of one server.

    DuckDB tables "$catalog".*  --load-->  Snapshot (Python, immutable)  --look-ups-->  sessions
             ^                                   |
             +---- changes, in the session's transaction; a commit makes a new generation

All sessions share the newest committed Snapshot; one that has changed the catalog in its open
transaction sees a Snapshot of its own, read through its own connection.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import tables
from sqlexec.embedded.catalog.asking import Asking
from sqlexec.embedded.catalog.modules import read_parameters
from sqlexec.embedded.catalog.security import (
    Principal,
    allowed,
    hash_password,
    server_permission,
    verify_password,
)
from sqlexec.embedded.catalog.snapshot import (
    DatabaseImage,
    DatabaseObject,
    Index,
    Login,
    Snapshot,
    TableColumn,
    load,
)
from sqlexec.embedded.catalog.types import describe
from sqlexec.embedded.catalog.views import create_views
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.syntax.names import three_parts
from sqlexec.embedded.tsql.translate.macros import create_macros

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection, Engine

__all__ = [
    "Catalog",
    "DatabaseImage",
    "DatabaseObject",
    "Index",
    "Login",
    "Principal",
    "Procedure",
    "Snapshot",
    "TableColumn",
]

Procedure = DatabaseObject


class Catalog:
    """The catalog of an engine.

    Parameters
    ----------
    engine : Engine
        A new database gets the system databases and `sa`, who has no password until
        `set_password` gives one (nobody can log in before).

    Example
    -------
    >>> from sqlexec.embedded.engine import Engine
    >>> catalog = Catalog(Engine())
    >>> catalog.set_password("sa", "secret")
    >>> catalog.authenticate("sa", "secret").sysadmin
    True
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._connection = engine.connect()
        self._mutex = threading.RLock()
        with self._connection.transaction():
            new = tables.create(self._connection)
            create_macros(self._connection)
            if new:
                for number, name in enumerate(tables.SYSTEM_DATABASES, 1):
                    create_views(self._connection, number, name)
        self._snapshot = load(self._connection, engine.generation)
        ids = [number for image in self._snapshot.databases.values() for number in image.by_id]
        self._last_id = max([581577110, *ids])
        self._last_database_id = max(image.id for image in self._snapshot.databases.values())

    # --- snapshots and changes ------------------------------------------------------------

    def snapshot(self, session: Asking | None = None) -> Snapshot:
        """The catalog as the session sees it."""
        if session is not None and session.connection.catalog_writes:
            connection = session.connection
            known: Snapshot | None = connection.catalog_snapshot
            if known is None or max(connection.catalog_writes.values()) > known.generation:
                number = self.engine.new_generation()
                known = load(connection, number, known, connection.catalog_writes)
                connection.catalog_snapshot = known
            return known
        engine = self.engine
        if self._snapshot.generation != engine.generation:
            with self._mutex, engine.catalog_mutex:
                if self._snapshot.generation != engine.generation:
                    with self._connection.transaction():
                        self._snapshot = load(
                            self._connection, engine.generation, self._snapshot,
                            engine.catalog_writes,
                        )  # fmt: skip
        return self._snapshot

    @contextmanager
    def changing(self, session: Asking) -> Iterator[Connection]:
        """Change catalog and tables together; one session at a time changes the catalog."""
        connection = session.connection
        with connection.transaction():
            connection.lock("$catalog", session)
            yield connection

    def new_id(self) -> int:
        """A new object id."""
        with self._mutex:
            self._last_id += 16
            return self._last_id

    def new_database_id(self) -> int:
        """The number of a new database; two that are made at the same time get two."""
        with self._mutex:
            self._last_database_id += 1
            return self._last_database_id

    def image(self, session: Asking, database: str | None = None) -> DatabaseImage:
        """The database of that name, or the session's; 911 when there is none."""
        name = database or session.database
        found = self.snapshot(session).databases.get(name.lower())
        if found is None:
            raise SqlError.of(911, name)
        return found

    def query(self, sql: str, parameters: list[object]) -> list[tuple[object, ...]]:
        """Rows of the committed catalog, read outside of any session's transaction."""
        with self._mutex:
            return self._connection.execute(sql, parameters).fetchall()

    # --- who ------------------------------------------------------------------------------

    def authenticate(self, login: str, password: str) -> Principal:
        """Check a login's password; the principal stands in its default database.

        Raises
        ------
        SqlError
            18456, the same for a wrong name, a wrong password and a disabled login.
        """
        found = self.snapshot().logins.get(login.lower())
        usable = found is not None and found.type == "S" and not found.disabled
        stored = found.password_hash if found is not None and usable else None
        if not verify_password(password, stored) or found is None:
            raise SqlError.of(18456, login)
        return self.login(found.name)

    def login(self, name: str) -> Principal:
        """An existing login as a principal in master; nobody's password is asked for.

        Raises
        ------
        SqlError
            15007 for no such login.
        """
        found = self.snapshot().logins.get(name.lower())
        if found is None or found.type != "S":
            raise SqlError.of(15007, name)
        member_of = self.snapshot().server_members.get(found.id, set())
        principal = Principal(
            found.name, "guest", 3 in member_of, found.sid, default_database=found.default_database
        )
        return self.principal_in(principal, "master")

    def set_password(self, login: str, password: str) -> None:
        """Give an existing login a password, outside of any session (`sa` at the start)."""
        with self._mutex, self._connection.transaction():
            tables.update(
                self._connection,
                "server_principals",
                {"password_hash": hash_password(password)},
                principal_id=self.snapshot().logins[login.lower()].id,
            )

    def principal_in(
        self, principal: Principal, database: str, session: Asking | None = None
    ) -> Principal:
        """The login's user in a database: dbo for sysadmin and the owner, its user, or guest.

        Raises
        ------
        SqlError
            911 for no such database, 916 for no access.
        """
        snapshot = self.snapshot(session)
        image = snapshot.databases.get(database.lower())
        if image is None:
            raise SqlError.of(911, database)
        if principal.sysadmin or image.owner_sid == principal.sid:
            number = 1
        else:
            number = image.users.get(principal.sid, 2)
            if not principal.sid and image.name == principal.database:  # EXECUTE AS USER
                number = principal.user_id
        user = image.names[number]
        found = Principal(
            principal.login,
            user,
            principal.sysadmin,
            principal.sid,
            image.name,
            image.default_schemas.get(number, "dbo"),
            number,
            principal.default_database,
        )
        if not allowed(image, found, "CONNECT"):
            raise SqlError.of(916, principal.login, image.name)
        return found

    def open_database(
        self, who: Asking | Principal, database: str, *, login: bool = False
    ) -> Principal:
        """Enter a database: USE for a session (which is changed), or at login for a principal.

        Raises
        ------
        SqlError
            911 and 916 for USE; 4060 when `login` is set.
        """
        principal = who if isinstance(who, Principal) else who.principal
        session = None if isinstance(who, Principal) else who
        try:
            found = self.principal_in(principal, database, session)
        except SqlError as error:
            if login and error.number in (911, 916):
                raise SqlError.of(4060, database) from None
            raise
        if session is not None:
            session.principal = found
            session.database = found.database
        return found

    # --- permissions ----------------------------------------------------------------------

    def has_permission(
        self,
        session: Asking,
        permission: str,
        object_id: int | None = None,
        schema: str | None = None,
        database: str | None = None,
    ) -> bool:
        """Whether the session's user has a permission on an object, a schema or the database."""
        image = self.image(session, database)
        principal = session.principal
        if image.name != principal.database:
            try:
                principal = self.principal_in(principal, image.name, session)
            except SqlError:
                return False
        return allowed(image, principal, permission.upper(), object_id, schema)

    def check_permission(
        self,
        session: Asking,
        permission: str,
        object_id: int | None = None,
        schema: str | None = None,
        database: str | None = None,
    ) -> None:
        """Raise 229 (objects) or 262 (statements) when the permission is missing."""
        if self.has_permission(session, permission, object_id, schema, database):
            return
        image = self.image(session, database)
        if object_id is not None and object_id in image.by_id:
            found = image.by_id[object_id]
            raise SqlError.of(229, permission, found.name, image.name, found.schema)
        raise SqlError.of(262, permission, image.name)

    def has_server_permission(self, session: Asking, permission: str) -> bool:
        """Whether the login has a permission of the server, such as VIEW SERVER STATE."""
        return server_permission(self.snapshot(session), session.principal, permission.upper())

    def is_member(self, session: Asking, role: str, user: str | None = None) -> bool | None:
        """IS_MEMBER: None when there is no such role."""
        image = self.image(session)
        found = image.principals.get(role.lower())
        if found is None or found[2] != "R":
            return None
        number = session.principal.user_id
        if user is not None:
            principal = image.principals.get(user.lower())
            if principal is None:
                return None
            number = principal[0]
        return found[0] in image.roles_of(number) or (found[1] == "db_owner" and number == 1)

    def is_server_member(self, session: Asking, role: str, login: str | None = None) -> bool | None:
        """IS_SRVROLEMEMBER: None when there is no such role or login."""
        snapshot = self.snapshot(session)
        found = snapshot.logins.get(role.lower())
        who = snapshot.logins.get((login or session.principal.login).lower())
        if found is None or found.type != "R" or who is None:
            return None
        if login is None and who.sid != session.principal.sid:  # EXECUTE AS USER
            return found.name == "public"
        return found.name == "public" or found.id in snapshot.server_members.get(who.id, set())

    # --- objects --------------------------------------------------------------------------

    def find_object(
        self, session: Asking, database: str | None, schema: str | None, name: str
    ) -> DatabaseObject | None:
        """A user object; without a schema the user's default schema and dbo are searched."""
        image = self.snapshot(session).databases.get((database or session.database).lower())
        if image is None:
            return None
        schemas = [schema] if schema else [session.principal.default_schema, "dbo"]
        for candidate in schemas:
            found = image.objects.get((candidate.lower(), name.lower()))
            if found is not None:
                return found
        return None

    def find_procedure(
        self, session: Asking, database: str | None, schema: str | None, name: str
    ) -> Procedure | None:
        """A stored procedure, or None; sp_ procedures are also found in master."""
        found = self.find_object(session, database, schema, name)
        if found is None and name.lower().startswith("sp_"):
            found = self.find_object(session, "master", schema, name)
        return found if found is not None and found.type == "P" else None

    def object_id(self, session: Asking, text: str, kind: str | None = None) -> int | None:
        """OBJECT_ID('schema.name', 'U'): None when there is no such object."""
        database, schema, name = three_parts(text)
        if name.startswith("#"):
            storage = session.temporary_tables.get(name.lower())
            return None if storage is None or kind not in (None, "U") else _temporary_id(name)
        found = self.find_object(session, database, schema, name)
        if found is None or (kind and kind.upper().strip() != found.type):
            return None
        return found.object_id

    def object_by_id(
        self, session: Asking, object_id: int, database: str | None = None
    ) -> DatabaseObject | None:
        """The object with that id in a database (the session's by default)."""
        return self.image(session, database).by_id.get(object_id)

    def create_procedure(
        self,
        session: Asking,
        database: str | None,
        schema: str | None,
        name: str,
        definition: str,
        mode: str = "CREATE",
    ) -> Procedure:
        """Keep a procedure's text; ALTER keeps its id and permissions.

        Parameters
        ----------
        mode : str
            'CREATE', 'ALTER' or 'CREATE OR ALTER'.

        Raises
        ------
        SqlError
            208 (ALTER of none), 262 (no permission), 2714 (exists), 2760 (no such schema).
        """
        return self.create_module(session, database, schema, name, "P", definition, mode)

    def create_module(
        self,
        session: Asking,
        database: str | None,
        schema: str | None,
        name: str,
        kind: str,
        definition: str,
        mode: str,
    ) -> DatabaseObject:
        """Create or alter a procedure ('P') or a view ('V'): the catalog's part of it."""
        image = self.image(session, database)
        schema_id, schema_name = self.schema_for_new(session, image, schema)
        known = image.objects.get((schema_name.lower(), name.lower()))
        if known is not None and (mode == "CREATE" or known.type != kind):
            raise SqlError.of(2714, name)
        if known is None and mode == "ALTER":
            raise SqlError.of(208, f"{schema_name}.{name}" if schema else name)
        if known is not None:
            self.check_permission(session, "ALTER", known.object_id, database=image.name)
        else:
            statement = "CREATE PROCEDURE" if kind == "P" else "CREATE VIEW"
            self.check_create(session, statement, image, schema_name)
        with self.changing(session) as connection:
            object_id = self.new_id() if known is None else known.object_id
            if known is None:
                add_object(connection, image.id, object_id, schema_id, name, kind, definition)
            else:
                changes = {"definition": definition, "modify_date": tables.now()}
                place = {"database_id": image.id, "object_id": object_id}
                tables.update(connection, "objects", changes, **place)
                tables.delete(connection, "parameters" if kind == "P" else "columns", **place)
            if kind == "P":
                add_parameters(connection, image.id, object_id, definition)
        return self.image(session, image.name).by_id[object_id]

    def schema_for_new(
        self, session: Asking, image: DatabaseImage, schema: str | None
    ) -> tuple[int, str]:
        """(id, name) of the schema in which a new object goes; 2760 when there is none."""
        name = schema or session.principal.default_schema
        found = image.schemas.get(name.lower())
        if found is None or found[1] in ("sys", "INFORMATION_SCHEMA"):
            raise SqlError.of(2760, name)
        return found[0], found[1]

    def check_create(
        self, session: Asking, statement: str, image: DatabaseImage, schema: str
    ) -> None:
        """CREATE X needs that permission in the database and ALTER on the schema."""
        self.check_permission(session, statement, database=image.name)
        if not self.has_permission(session, "ALTER", schema=schema, database=image.name):
            raise SqlError.of(2760, schema)


def add_object(
    connection: Connection,
    database_id: int,
    object_id: int,
    schema_id: int,
    name: str,
    kind: str,
    definition: str | None = None,
    parent: int = 0,
    *,
    system_named: bool = False,
) -> None:
    """Add a row to the catalog's objects."""
    at = tables.now()
    tables.insert(
        connection, "objects", database_id=database_id, object_id=object_id, schema_id=schema_id,
        parent_object_id=parent, name=name, type=kind, definition=definition,
        is_system_named=system_named, create_date=at, modify_date=at,
    )  # fmt: skip


def add_parameters(
    connection: Connection, database_id: int, object_id: int, definition: str
) -> None:
    """Add the parameters of a procedure to the catalog."""
    rows = [
        {
            "database_id": database_id, "object_id": object_id, "parameter_id": number,
            "name": parameter.name, "declared": str(parameter.type),
            "is_output": parameter.output, "has_default_value": parameter.has_default,
            **describe(parameter.type),
        }
        for number, parameter in enumerate(read_parameters(definition), 1)
    ]  # fmt: skip
    tables.insert_rows(connection, "parameters", rows)


def _temporary_id(name: str) -> int:
    """A negative id for a temporary table, as tempdb's are."""
    return -zlib.crc32(name.lower().encode()) // 2 - 1
