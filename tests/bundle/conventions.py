"""Our conventions for T-SQL, checked over the tree of Microsoft's parser.

    python -m tests.bundle.conventions [--json] [FILE ...]

Without files: each file of the bundle, filled in, and install.sql.  Prints `file:line: text` per
finding and the number of statements; exit code 1 for findings, 3 where the parser cannot run.
Each rule is one small generator over a `Parsed` text.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlexec.bundle import render
from tests.bundle.scriptdom import Node, Parsed, parse, unavailable

Finding = tuple[int, str]
Rule = Callable[[Parsed], Iterator[Finding]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


def check(text: str) -> tuple[int, list[Finding]]:
    """Number of statements, and findings by line; nothing but parse errors where there are any."""
    parsed = parse(text)
    if parsed.errors:
        return parsed.statements, parsed.errors
    findings = {finding for each in RULES for finding in each(parsed)}
    if not parsed.statements:
        findings.add((1, "no statement"))
    return parsed.statements, sorted(findings)


# --- tokens ------------------------------------------------------------------------------


@rule
def keywords_in_upper_case(parsed: Parsed) -> Iterator[Finding]:
    for token in parsed.tokens:
        if token.is_keyword and token.text != token.text.upper() and token.kind != "Public":
            yield token.line, f"keyword {token.text!r} is not in upper case"


@rule
def execute_in_full(parsed: Parsed) -> Iterator[Finding]:
    for token in parsed.tokens:
        if token.kind == "Exec":
            yield token.line, "EXEC: write EXECUTE"


@rule
def names_in_brackets_only(parsed: Parsed) -> Iterator[Finding]:
    """A double-quoted name is a string where a session has QUOTED_IDENTIFIER off."""
    for token in parsed.tokens:
        if token.kind == "AsciiStringOrQuotedIdentifier":
            yield token.line, f"{token.text}: quote names with brackets, strings with '"


# --- statements --------------------------------------------------------------------------


@rule
def no_merge(parsed: Parsed) -> Iterator[Finding]:
    for node in parsed.tree.walk():
        if node.kind == "MergeStatement":
            yield node.line, "MERGE: write UPDATE and INSERT"


@rule
def no_change_through_a_cte(parsed: Parsed) -> Iterator[Finding]:
    for node in parsed.tree.walk():
        if node.kind in ("UpdateStatement", "DeleteStatement") and node["WithCtesAndXmlNamespaces"]:
            yield node.line, "UPDATE or DELETE with a common table expression: write a join"


@rule
def no_sum_of_binaries(parsed: Parsed) -> Iterator[Finding]:
    binaries = set(_declared_binaries(parsed.tree))
    for node in parsed.tree.walk():
        if node.kind == "BinaryExpression" and node["BinaryExpressionType"] == "Add":
            sides = (node["FirstExpression"], node["SecondExpression"])
            if any(_is_binary(side, binaries) for side in sides):
                yield node.line, "'+' between varbinary values"


@rule
def set_options_first(parsed: Parsed) -> Iterator[Finding]:
    for node in parsed.tree.walk():
        if node.kind in ("CreateProcedureStatement", "CreateOrAlterProcedureStatement"):
            statements = _body(node)
            options = set()
            for statement in statements:
                if statement.kind != "PredicateSetStatement":
                    break
                if statement["IsOn"]:
                    options |= set(statement["Options"].split(", "))
            if not {"NoCount", "XactAbort"} <= options:
                yield node.line, "a procedure begins with SET NOCOUNT ON; SET XACT_ABORT ON;"


# --- names -------------------------------------------------------------------------------


@rule
def tables_with_schema(parsed: Parsed) -> Iterator[Finding]:
    def visit(node: Node, known: set[str]) -> Iterator[Finding]:
        if node.is_statement:
            known = set(_local_tables(node))
        if node.kind == "NamedTableReference":
            name = node["SchemaObject"]
            if not _qualified(name) and _value(name).lower() not in known:
                yield node.line, f"table {_value(name)}: name its schema"
        for child in node.children():
            yield from visit(child, known)

    yield from visit(parsed.tree, set())


@rule
def procedures_with_schema(parsed: Parsed) -> Iterator[Finding]:
    for node in parsed.tree.walk():
        name = node["Name"]
        if node.kind != "ProcedureReference" or _qualified(name):
            continue
        if not _value(name).lower().startswith("sp_"):  # those are found from any database
            yield node.line, f"procedure {_value(name)}: name its schema"


@rule
def created_with_schema(parsed: Parsed) -> Iterator[Finding]:
    for node in parsed.tree.walk():
        if node.is_statement and node.kind.startswith(("Create", "Alter", "Drop", "Truncate")):
            names = [node["SchemaObjectName"], node["TableName"], node["Name"], node["OnName"]]
            for name in names + (node["Objects"] or []):
                is_object = isinstance(name, Node) and name.kind == "SchemaObjectName"
                if is_object and not _qualified(name):
                    yield name.line, f"{_value(name)}: name its schema"


# --- headers -----------------------------------------------------------------------------


@rule
def header_in_the_body(parsed: Parsed) -> Iterator[Finding]:
    """A comment after AS stays in sys.sql_modules; one before CREATE may not."""
    for node in _created(parsed, "CreateOrAlterProcedureStatement", "CreateOrAlterViewStatement"):
        header = _header(parsed, node)
        for word in ("Purpose:", "Version:", "Licence:"):
            if f"\n{word} " not in header:
                yield node.line, f"{_name_of(node)}: its header has no line {word}"


@rule
def public_procedures_tell_of_themselves(parsed: Parsed) -> Iterator[Finding]:
    """Those that somebody is granted in the same text: @help last, a line for each parameter."""
    public = {
        _value_of_object(node["SecurityTargetObject"])
        for node in parsed.tree.walk()
        if node.kind == "GrantStatement" and node["SecurityTargetObject"]
    }
    for node in _created(parsed, "CreateOrAlterProcedureStatement"):
        name = _name_of(node)
        if name not in public or name == "help":
            continue
        names = [each["VariableName"]["Value"] for each in node["Parameters"] or []]
        header = _header(parsed, node)
        if names[-1:] != ["@help"]:
            yield node.line, f"{name}: its last parameter is not @help bit = 0"
        for missing in [each for each in names if f"\n{each} " not in header]:
            yield node.line, f"{name}: its header has no line for {missing}"
        if "\nExample: " not in header:
            yield node.line, f"{name}: its header has no example"


# --- helpers -----------------------------------------------------------------------------


def _created(parsed: Parsed, *kinds: str) -> Iterator[Node]:
    return (node for node in parsed.tree.walk() if node.kind in kinds)


def _name_of(node: Node) -> str:
    reference = node["ProcedureReference"]
    return _value(reference["Name"] if reference else node["SchemaObjectName"])


def _value_of_object(target: Node) -> str:
    return str(target["ObjectName"]["MultiPartIdentifier"]["Identifiers"][-1]["Value"])


def _header(parsed: Parsed, node: Node) -> str:
    """The first block comment after the AS of a procedure or view."""
    seen_as = False
    for token in parsed.tokens:
        if token.line >= node.line:
            seen_as = seen_as or token.kind == "As"
            if seen_as and token.kind == "MultilineComment":
                return token.text
    return ""


def _value(name: Node) -> str:
    return str(name["BaseIdentifier"]["Value"])


def _qualified(name: Node) -> bool:
    return bool(name["SchemaIdentifier"]) or _value(name).startswith("#")


def _body(procedure: Node) -> list[Node]:
    statements = procedure["StatementList"]["Statements"] or []
    if len(statements) == 1 and statements[0].kind == "BeginEndBlockStatement":
        statements = statements[0]["StatementList"]["Statements"] or []
    return [node for node in statements if node.kind != "DeclareVariableStatement"]


def _local_tables(statement: Node) -> Iterator[str]:
    """What a name without schema may mean in this statement: aliases, CTEs, trigger tables."""
    yield from ("inserted", "deleted")
    for node in statement.walk():
        if node.kind == "CommonTableExpression":
            yield node["ExpressionName"]["Value"].lower()
        if node["Alias"]:
            yield node["Alias"]["Value"].lower()


def _declared_binaries(tree: Node) -> Iterator[str]:
    for node in tree.walk():
        if node.kind in ("ProcedureParameter", "DeclareVariableElement"):
            if _is_binary_type(node["DataType"]):
                yield node["VariableName"]["Value"].lower()
        elif node.kind == "ColumnDefinition" and _is_binary_type(node["DataType"]):
            yield node["ColumnIdentifier"]["Value"].lower()


def _is_binary_type(data_type: Node | None) -> bool:
    return data_type is not None and data_type["SqlDataTypeOption"] in ("Binary", "VarBinary")


def _is_binary(expression: Node, binaries: set[str]) -> bool:
    if expression.kind == "ParenthesisExpression":
        return _is_binary(expression["Expression"], binaries)
    if expression.kind == "VariableReference":
        return expression["Name"].lower() in binaries
    if expression.kind == "ColumnReferenceExpression" and expression["MultiPartIdentifier"]:
        parts = expression["MultiPartIdentifier"]["Identifiers"]
        return parts[-1]["Value"].lower() in binaries
    return expression.kind == "BinaryLiteral" or _is_binary_type(expression["DataType"])


# --- command -----------------------------------------------------------------------------


def bundle_texts() -> dict[str, str]:
    """Each file of the bundle, the runner's long source left out so that lines stay, and all."""
    values = {**render.placeholders(), "runner_source": "N''"}
    texts = {file.name: file.text for file in render.bundle_files(values=values)}
    texts[render.INSTALL] = render.render_install()
    for name in render.BY_HAND:
        texts[name] = (render.sql_folder() / name).read_text(encoding="utf-8")
    return texts


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bundle.conventions")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true", help="print {file: {statements, findings}}")
    options = parser.parse_args(arguments)
    reason = unavailable()
    if reason:
        print(f"T-SQL not checked: {reason}", file=sys.stderr)
        return 3
    texts = {str(path): path.read_text(encoding="utf-8") for path in options.files}
    report = {}
    for name, text in (texts or bundle_texts()).items():
        statements, findings = check(text)
        report[name] = {"statements": statements, "findings": findings}
    if options.json:
        print(json.dumps(report))
    else:
        _print(report)
    return 1 if any(entry["findings"] for entry in report.values()) else 0


def _print(report: dict[str, dict[str, object]]) -> None:
    for name, entry in report.items():
        for line, message in entry["findings"]:  # type: ignore[attr-defined]
            print(f"{name}:{line}: {message}")
    total = sum(int(str(entry["statements"])) for entry in report.values())
    print(f"T-SQL: {total} statements in {len(report)} files parsed by ScriptDom (TSql140)")


if __name__ == "__main__":
    sys.exit(main())
