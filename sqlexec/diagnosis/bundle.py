"""The bundle in the database: there, of this client's version, unaltered, and open to the user."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from sqlexec.bundle.render import bundle_files, placeholders
from sqlexec.diagnosis.examination import Examination, bracketed
from sqlexec.diagnosis.findings import Finding, check, failed, passed, skipped, warned
from sqlexec.errors import BundleNotInstalled, PermissionDenied
from sqlexec.payload import PROTOCOL
from sqlexec.version import __version__

OBJECTS = """\
SELECT o.name, m.definition
FROM sys.objects AS o
INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id
LEFT JOIN sys.sql_modules AS m ON m.object_id = o.object_id
WHERE s.name = N'sqlexec' AND o.type IN ('P', 'U', 'V');"""
_OBJECT = re.compile(r"^sqlexec\.(\w+)\.(procedure|view|table)\.sql$")
_MOST_WORKERS = "most_workers_per_login"
_LIMITS = ("largest_payload_bytes", "longest_run_seconds", _MOST_WORKERS, "kept_days")
_ROLE = "sqlexec.sqlexec_user.role.sql"
_GRANT = re.compile(
    r"^GRANT (.+?)(?: ON ((?:OBJECT|SCHEMA)::[\w.]+))? TO sqlexec_user;$", re.MULTILINE
)
# What a server may keep otherwise than it was sent: comments before the statement, OR ALTER.
_HEAD = re.compile(r"\A(?:\s|--[^\n]*\n)*CREATE\s+(?:OR\s+ALTER\s+)?")


@check("bundle", needs=["database"])
def bundle(examination: Examination) -> Finding:
    """The bundle is installed, of this client's version."""
    try:
        facts = examination.row("EXECUTE sqlexec.info")
    except BundleNotInstalled:
        return failed(f"There is no bundle in {examination.database}.", _install(examination))
    except PermissionDenied:
        return skipped("It is there, but you may not ask for its version.", _join(examination))
    told = f"version {facts['version']}, protocol {facts['protocol']}"
    if facts["protocol"] != PROTOCOL:
        return failed(
            f"It is of {told}; this client, {__version__}, speaks protocol {PROTOCOL}.",
            f"{_install(examination)}   or here: pip install sqlexec=={facts['version']}",
        )
    if facts["version"] != __version__:
        return warned(f"It is of {told}; this client of {__version__}.", _install(examination))
    if facts["runner_sha256"] != placeholders()["runner_hash"]:
        return warned(
            f"It is of {told}, but its Python runner is another than this client's.",
            _install(examination),
        )
    return passed(told)


@check("bundle objects", needs=["bundle"])
def objects(examination: Examination) -> Finding:
    """The objects of the bundle are all there, procedures as they were written."""
    expected = {
        match[1]: (match[2], file.text)
        for file in bundle_files()
        if (match := _OBJECT.match(file.name))
    }
    found = dict(examination.execute(OBJECTS))
    procedures = {name for name, (kind, _) in expected.items() if kind == "procedure"}
    if not any(found.get(name) for name in procedures):
        return skipped(
            "You may not see the text of its procedures.",
            f"GRANT VIEW DEFINITION ON SCHEMA::sqlexec TO {bracketed(examination.user)};",
        )
    missing = sorted(expected.keys() - found.keys())
    altered = sorted(
        name
        for name in procedures & found.keys()
        if comparable(found[name] or "") != comparable(expected[name][1])
    )
    if missing or altered:
        told = [
            f"{word}: {', '.join('sqlexec.' + name for name in names)}"
            for word, names in (("missing", missing), ("altered", altered))
            if names
        ]
        return failed(
            f"Not as version {__version__} has them: {'; '.join(told)}.", _install(examination)
        )
    return passed(f"{len(expected)} objects, {len(procedures)} of them procedures, unaltered")


@check("permissions", needs=["bundle"])
def permissions(examination: Examination) -> Finding:
    """The user has each permission that the role sqlexec_user gives."""
    wanted = granted_to_users()
    query = ", ".join(
        "HAS_PERMS_BY_NAME(N'{1}', N'{0}', N'{2}')".format(*securable.split("::"), permission)
        if securable
        else f"HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', N'{permission}')"
        for permission, securable in wanted
    )
    ((member, *held),) = examination.execute(f"SELECT IS_ROLEMEMBER(N'sqlexec_user'), {query};")
    user = bracketed(examination.user)
    grants = [
        f"GRANT {permission}{f' ON {securable}' if securable else ''} TO {user};"
        for (permission, securable), has in zip(wanted, held, strict=True)
        if not has
    ]
    if not grants:
        return passed(f"{examination.user} has all {len(wanted)} that a user needs.")
    lacking = ", ".join(grant.removeprefix("GRANT ").rpartition(" TO ")[0] for grant in grants)
    return failed(
        f"{examination.user} lacks: {lacking}.",
        " ".join(grants) if member else _join(examination),
    )


@check("limits", needs=["bundle"])
def limits(examination: Examination) -> Finding:
    """What a member of sqlexec_admin allows, and whether all workers have a place."""
    facts = examination.row("EXECUTE sqlexec.info")
    return judge_limits(
        {name: int(facts.get(name) or 0) for name in _LIMITS}, examination.compute_context.workers
    )


def judge_limits(values: Mapping[str, int], workers: int) -> Finding:
    """Whether limits of such values (0: none) let all workers run.

    Example
    -------
    >>> judge_limits({"longest_run_seconds": 60}, 4).message
    'longest_run_seconds 60'
    """
    told = ", ".join(f"{name} {value:,}" for name, value in values.items() if value)
    most = values.get(_MOST_WORKERS, 0)
    if 0 < most < workers:
        return warned(
            f"{told}; num_tasks is {workers}.",
            f"num_tasks={most}; or, as a member of sqlexec_admin: EXECUTE sqlexec.configure "
            f"@name = '{_MOST_WORKERS}', @value = {workers};",
        )
    return passed(told or "none are set")


def granted_to_users() -> list[tuple[str, str]]:
    """What the bundle grants to sqlexec_user: permission, and on what, '' for the database.

    Example
    -------
    >>> ("EXECUTE", "OBJECT::sqlexec.info") in granted_to_users()
    True
    """
    text = next(file.text for file in bundle_files() if file.name == _ROLE)
    return _GRANT.findall(text)


def comparable(definition: str) -> str:
    """A procedure's text without what a server or a tool may have changed on its way there.

    SQL Server keeps neither OR ALTER nor, for ALTER, the word that was sent; sqlcmd sends
    comments that precede the statement, and on Windows CRLF.

    Example
    -------
    >>> comparable("-- a.sql\\r\\nCREATE   PROCEDURE a AS ...") == comparable(
    ...     "CREATE OR ALTER PROCEDURE a AS ...")
    True
    """
    return _HEAD.sub("CREATE ", definition.replace("\r\n", "\n")).rstrip()


def _install(examination: Examination) -> str:
    server = examination.connection.server or examination.connection.dsn
    return (
        f"sqlexec install 'Server={server};UID=...;PWD=...' "
        f"--database {shlex.quote(examination.database)}   (as a member of db_owner)"
    )


def _join(examination: Examination) -> str:
    return f"ALTER ROLE sqlexec_user ADD MEMBER {bracketed(examination.user)};"
