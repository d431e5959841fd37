"""The catalog as Python objects, so that a look-up on the hot path costs microseconds.

One Snapshot is one state of the catalog: loaded in one go, never changed.  `Catalog` decides
which one a session sees.  All keys are lower case, since names are compared without case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlexec.embedded.catalog.tables import SCHEMA, TABLES
from sqlexec.embedded.engine import storage_name
from sqlexec.embedded.sqltypes import SqlType

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection

_READ = TABLES.keys() - {
    "parameters", "extended_properties", "foreign_keys", "foreign_key_columns"
}  # fmt: skip
_OF_OBJECTS = (
    "databases", "principals", "schemas", "objects", "columns", "indexes", "index_columns",
)  # fmt: skip
_Rows = dict[str, list[tuple[Any, ...]]]  # by table


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table or view, as declared."""

    name: str
    type: SqlType
    nullable: bool = True
    identity: tuple[int, int] | None = None  # seed, increment
    default: str | None = None  # T-SQL expression
    id: int = 0
    default_id: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    id: int
    name: str
    unique: bool
    primary: bool
    constraint: bool
    columns: tuple[str, ...]  # key columns
    constraint_id: int = 0


@dataclass(frozen=True, slots=True)
class DatabaseObject:
    """A table, view, procedure or constraint.  `type` is SQL Server's: U, V, P, PK, UQ, F, C, D."""

    object_id: int
    database: str
    schema: str
    name: str
    type: str
    owner: str
    parent_id: int = 0
    definition: str | None = None
    columns: tuple[TableColumn, ...] = ()
    indexes: tuple[Index, ...] = ()

    @property
    def storage(self) -> str:
        """The quoted DuckDB name."""
        return storage_name(self.database, self.schema, self.name)

    @property
    def full_name(self) -> str:
        return f"{self.database}.{self.schema}.{self.name}"


@dataclass(slots=True)
class DatabaseImage:
    """One database: its schemas, objects, principals and permissions."""

    id: int
    name: str
    owner_sid: bytes
    schemas: dict[str, tuple[int, str, str]] = field(default_factory=dict)  # id, name, owner
    objects: dict[tuple[str, str], DatabaseObject] = field(default_factory=dict)
    by_id: dict[int, DatabaseObject] = field(default_factory=dict)
    principals: dict[str, tuple[int, str, str]] = field(default_factory=dict)  # id, name, type
    names: dict[int, str] = field(default_factory=dict)  # of principals
    users: dict[bytes, int] = field(default_factory=dict)  # login's sid -> principal id
    default_schemas: dict[int, str] = field(default_factory=dict)
    members: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))  # -> roles
    # (class, major id, permission) -> {(grantee, state)}
    permissions: dict[tuple[int, int, str], set[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def roles_of(self, principal: int) -> set[int]:
        """The principal, its roles through any number of levels, and public (0)."""
        found, ahead = {0, principal}, [principal]
        while ahead:
            for role in self.members.get(ahead.pop(), ()):
                if role not in found:
                    found.add(role)
                    ahead.append(role)
        return found


@dataclass(frozen=True, slots=True)
class Login:
    id: int
    name: str
    sid: bytes
    type: str
    disabled: bool
    password_hash: str | None
    default_database: str


@dataclass(slots=True)
class Snapshot:
    """One state of the whole catalog.  `generation` tells two states apart."""

    generation: int
    databases: dict[str, DatabaseImage] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)
    server_members: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    server_permissions: dict[str, set[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(set)
    )
    rows: _Rows = field(default_factory=dict, repr=False)  # as they were read


def load(
    connection: Connection,
    generation: int,
    before: Snapshot | None = None,
    writes: Mapping[str, int] | None = None,
) -> Snapshot:
    """Read the catalog's tables.

    Parameters
    ----------
    before : Snapshot, optional
        An earlier state: only the tables that were changed since then are read again, and the
        objects are shared when none of theirs was.
    writes : mapping, optional
        Table -> generation of its last change.
    """
    stale, rows = set(_READ), {}
    if before is not None and writes is not None:
        stale = {table for table in _READ if writes.get(table, 0) > before.generation}
        rows = dict(before.rows)
    for table in stale:
        rows[table] = connection.execute(f"SELECT * FROM {SCHEMA}.{table}").fetchall()
    snapshot = Snapshot(generation, rows=rows)
    images: dict[int, DatabaseImage] = {}
    for number, name, owner, _ in rows["databases"]:
        images[number] = snapshot.databases[name.lower()] = DatabaseImage(number, name, owner)
    for row in rows["server_principals"]:
        number, name, sid, kind, disabled, hashed, default = row[:7]
        snapshot.logins[name.lower()] = Login(number, name, sid, kind, disabled, hashed, default)
    for role, member in rows["server_role_members"]:
        snapshot.server_members[member].add(role)
    _load_principals(rows, images, snapshot)
    if before is not None and stale.isdisjoint(_OF_OBJECTS):
        for name, image in snapshot.databases.items():
            known = before.databases[name]
            image.schemas, image.objects, image.by_id = known.schemas, known.objects, known.by_id
    else:
        _load_objects(rows, images)
    return snapshot


def _load_principals(rows: _Rows, images: dict[int, DatabaseImage], snapshot: Snapshot) -> None:
    for database_id, number, name, kind, sid, default_schema, *_ in rows["principals"]:
        image = images[database_id]
        image.principals[name.lower()] = (number, name, kind)
        image.names[number] = name
        if sid is not None:
            image.users[sid] = number
        if default_schema:
            image.default_schemas[number] = default_schema
    for database_id, role, member in rows["role_members"]:
        images[database_id].members[member].add(role)
    for database_id, kind, major, grantee, _, permission, state in rows["permissions"]:
        if database_id == 0:
            snapshot.server_permissions[permission].add((grantee, state))
        else:
            images[database_id].permissions[kind, major, permission].add((grantee, state))


def _load_objects(rows: _Rows, images: dict[int, DatabaseImage]) -> None:
    schema_names: dict[tuple[int, int], str] = {}
    for database_id, number, name, principal in rows["schemas"]:
        image = images[database_id]
        image.schemas[name.lower()] = (number, name, image.names.get(principal, "dbo"))
        schema_names[database_id, number] = name
    columns: dict[tuple[int, int], list[TableColumn]] = defaultdict(list)
    for row in sorted(rows["columns"], key=lambda row: row[2]):
        database_id, object_id, number, name, declared, nullable = row[:6]
        identity, seed, increment, default_id, default = row[6:11]
        columns[database_id, object_id].append(
            TableColumn(
                name,
                SqlType.parse(declared),
                nullable,
                (seed, increment) if identity else None,
                default,
                number,
                default_id or 0,
            )
        )
    indexes = _indexes(rows, columns)
    for row in rows["objects"]:
        database_id, object_id, schema_id, parent, name, kind, definition = row[:7]
        image = images[database_id]
        schema = schema_names[database_id, schema_id]
        found = DatabaseObject(
            object_id,
            image.name,
            schema,
            name,
            kind,
            image.schemas[schema.lower()][2],
            parent,
            definition,
            tuple(columns.get((database_id, object_id), ())),
            tuple(indexes.get((database_id, object_id), ())),
        )
        image.objects[schema.lower(), name.lower()] = found
        image.by_id[object_id] = found


def _indexes(
    rows: _Rows, columns: dict[tuple[int, int], list[TableColumn]]
) -> dict[tuple[int, int], list[Index]]:
    keys: dict[tuple[int, int, int], list[str]] = defaultdict(list)
    for row in sorted(rows["index_columns"], key=lambda row: row[3]):
        database_id, object_id, index_id, _, column_id, ordinal, *_ = row
        if ordinal:
            names = {column.id: column.name for column in columns[database_id, object_id]}
            keys[database_id, object_id, index_id].append(names[column_id])
    found: dict[tuple[int, int], list[Index]] = defaultdict(list)
    for row in rows["indexes"]:
        database_id, object_id, number, name, _, unique, primary, constraint, constraint_id, _ = row
        found[database_id, object_id].append(
            Index(
                number,
                name,
                unique,
                primary,
                constraint,
                tuple(keys[database_id, object_id, number]),
                constraint_id or 0,
            )
        )
    return found
