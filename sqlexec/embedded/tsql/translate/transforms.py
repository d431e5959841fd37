"""Small changes of one node: T-SQL's operators, clauses and table functions in DuckDB's words.

Each takes a bound node (children done, their T-SQL types in meta["sql_type"]) and gives the node
that stands in its place.  The walk that calls them is in binder.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from sqlexec.embedded.sqltypes import BIT, INT, MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.scalar import typing_rules
from sqlexec.embedded.tsql.scalar.patterns import like_regex
from sqlexec.embedded.tsql.translate.casts import cast
from sqlexec.embedded.tsql.translate.dialect import duckdb_cast, template
from sqlexec.embedded.tsql.translate.scopes import Output

Types = Sequence["SqlType | None"]
Typed = tuple[exp.Expression, "SqlType | None"]

_NVARCHAR = SqlType("nvarchar", 4000)
_OPERATORS: dict[type[exp.Expression], str] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%",
}  # fmt: skip


def operator(tree: exp.Expression, types: Types) -> Typed:
    """The node for an operator, literal or condition whose children have these types."""
    sign = _OPERATORS.get(type(tree))
    if sign is not None:
        return arithmetic(sign, tree, *_pair(types))
    if isinstance(tree, exp.Literal | exp.National | exp.HexString | exp.Null | exp.Boolean):
        return literal(tree)
    if isinstance(tree, exp.Like):
        return like(tree), None
    if isinstance(
        tree, exp.Paren | exp.Neg | exp.Subquery | exp.Alias | exp.Ordered | exp.Distinct
    ):
        return tree, types[0] if types else None
    if isinstance(tree, exp.BitwiseXor):
        return template("xor($1, $2)", tree.this, tree.expression), types[0]
    if isinstance(tree, exp.BitwiseAnd | exp.BitwiseOr | exp.BitwiseNot):
        return tree, types[0]
    if isinstance(tree, exp.Collate):  # text is compared byte by byte whatever is asked for
        return tree.this, types[0]
    if isinstance(tree, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
        return comparison(tree, *_pair(types)), None
    if isinstance(tree, exp.In | exp.Between):
        return membership(tree), None
    return tree, None


def _pair(types: Types) -> tuple[SqlType | None, SqlType | None]:
    return (types[0], types[1]) if len(types) == 2 else (None, None)


def type_of(tree: exp.Expression) -> SqlType | None:
    """The T-SQL type that binding found for a node."""
    while isinstance(tree, exp.Paren | exp.Alias) and "sql_type" not in tree.meta:
        tree = tree.this
    found = tree.meta.get("sql_type")
    return found if isinstance(found, SqlType) else None


def branches_type(results: list[exp.Expression]) -> SqlType | None:
    """The type of a CASE: the branches' common type; a bare NULL has none of its own."""
    types = [type_of(result) for result in results if not isinstance(result, exp.Null)]
    if not types:
        return INT
    found = types[0]
    for type in types[1:]:
        found = typing_rules.common_type(found, type)
    return found


# --- literals and operators --------------------------------------------------------------


def literal(tree: exp.Expression) -> Typed:
    """Literals with T-SQL's types: 1 int, 1.5 decimal(2,1), 1e0 float, 'a' varchar(1), 0x01."""
    if isinstance(tree, exp.Null):
        return tree, None
    if isinstance(tree, exp.National):
        return exp.Literal.string(tree.name), SqlType("nvarchar", max(len(tree.name), 1))
    if isinstance(tree, exp.HexString):
        digits = tree.name + "0" * (len(tree.name) % 2)
        return template("unhex($1)", exp.Literal.string(digits)), SqlType(
            "varbinary", max(len(digits) // 2, 1)
        )
    if isinstance(tree, exp.Boolean):
        return tree, BIT
    if tree.args.get("is_string"):
        return tree, SqlType("varchar", max(len(tree.name), 1))
    text = tree.name.lower()
    if "e" in text:
        return duckdb_cast(tree.copy(), "DOUBLE"), SqlType("float")
    if "." in text:
        whole, _, fraction = text.partition(".")
        precision = max(len(whole.lstrip("0")) + len(fraction), 1)
        return tree, SqlType("decimal", None, precision, len(fraction))
    if len(text) > 9 and int(text) > 2**31 - 1:
        return tree, SqlType("decimal", None, len(text), 0)
    return tree, INT


def arithmetic(
    sign: str, tree: exp.Expression, left: SqlType | None, right: SqlType | None
) -> Typed:
    """+ - * / %: text concatenation, integer division, T-SQL's decimal precision, dates + days."""
    first, second = tree.this, tree.expression
    if sign in "+-" and left is not None and left.name in ("datetime", "smalldatetime"):
        days = template("$2 * INTERVAL 1 DAY", first, second)
        return duckdb_cast(template(f"$1 {sign} $2", first, days), left), left
    left = right if isinstance(first, exp.Null) else left  # NULL takes the other side's type
    right = left if isinstance(second, exp.Null) else right
    left, right = _exact_literal(first, left, right), _exact_literal(second, right, left)
    type = typing_rules.arithmetic(sign, left, right)
    texts = [t is not None and (t.is_text or t.is_binary) for t in (left, right)]
    if sign == "+" and (all(texts) or (any(texts) and None in (left, right))):
        return template("$1 || $2", first, second), type
    if any(texts) and type is not None:  # '1' + 1: the text becomes the number
        first, second = cast(first, left, type), cast(second, right, type)
    if sign == "/":
        if type is not None and (type.is_integer or type.name == "bit"):
            return template("$1 // $2", first, second), type
        divided = template('"$tsql".divide($1, $2)', first, second)
        return (_quotient(divided, type) if type is not None else divided), type
    if sign == "%":
        return template('"$tsql".modulo($1, $2)', first, second), type
    found = template(f"$1 {sign} $2", first, second)
    if type is not None and type.name in ("money", "smallmoney", "decimal"):
        return duckdb_cast(found, type), type
    if type is not None and type.is_integer and left != right:
        # DuckDB picks the type by its own rules for literals; T-SQL by the declared ones
        wide = (left if left != type else right) or type
        if wide.is_integer or wide.name == "bit":
            return duckdb_cast(
                template(f"CAST($1 AS BIGINT) {sign} CAST($2 AS BIGINT)", first, second), type
            ), type
    return found, type


def _exact_literal(
    value: exp.Expression, type: SqlType | None, other: SqlType | None
) -> SqlType | None:
    """An int literal beside a decimal is a decimal of as many digits as it has."""
    while isinstance(value, exp.Paren | exp.Neg):
        value = value.this
    exact = other is not None and other.name == "decimal"
    if exact and type == INT and isinstance(value, exp.Literal):
        return SqlType("decimal", None, max(len(value.name), 1), 0)
    return type


def _quotient(value: exp.Expression, type: SqlType) -> exp.Expression:
    """A quotient in its type; a decimal's is cut, not rounded (2 / 3.0 is 0.666666)."""
    if type.name != "decimal":
        return duckdb_cast(value, type)
    shift = f"1e{type.scale or 0}"
    # DuckDB divides decimals as doubles: the three more digits take their error away
    cut = template(f"trunc(CAST($1 * {shift} AS DECIMAL(38,3))) / {shift}", value)
    return duckdb_cast(cut, type)


def comparison(tree: exp.Expression, left: SqlType | None, right: SqlType | None) -> exp.Expression:
    """= <> < >: the side of lower precedence is converted, as T-SQL does it."""
    high = typing_rules.common_type(left, right)
    if high is None or left is None or right is None:
        return tree
    for key, type in (("this", left), ("expression", right)):
        needs = type.is_text and not high.is_text and not high.is_binary
        if needs:
            tree.set(key, cast(tree.args[key], type, high))
    return tree


def membership(tree: exp.Expression) -> exp.Expression:
    """IN and BETWEEN: text on one side becomes the other side's type."""
    type = type_of(tree.this)
    if type is None or type.is_text or type.is_binary:
        return tree
    values = tree.expressions if isinstance(tree, exp.In) else [tree.args["low"], tree.args["high"]]
    for value in list(values):
        source = type_of(value)
        if source is not None and source.is_text:
            value.replace(cast(value.copy(), source, type))
    return tree


def like(tree: exp.Like) -> exp.Expression:
    """LIKE: character classes [a-z] become a regular expression."""
    parent_escape = tree.parent if isinstance(tree.parent, exp.Escape) else None
    pattern = tree.expression
    if type_of(tree.this) is None or not getattr(type_of(tree.this), "is_text", False):
        tree.set("this", duckdb_cast(tree.this, "VARCHAR"))
    if not isinstance(pattern, exp.Literal) or "[" not in pattern.name or parent_escape:
        return tree
    regex = exp.Literal.string("(?s)" + like_regex(pattern.name))
    return template("regexp_full_match($1, $2)", tree.this, regex)


def aggregate_cast(name: str, call: exp.Expression, type: SqlType) -> exp.Expression:
    """COUNT, SUM and AVG in T-SQL's types; the average of integers is cut, not rounded."""
    if name == "AVG" and type.is_integer:
        return duckdb_cast(template("trunc($1)", call), type)
    if name == "AVG":
        return _quotient(call, type)
    return duckdb_cast(call, type)


# --- clauses -----------------------------------------------------------------------------


def refuse_clauses(tree: exp.Select) -> None:
    """Clauses that the stand-in lacks, named; hints (OPTION) have no effect."""
    for_ = tree.args.get("for_")
    if for_:
        raise unsupported(f"FOR {for_.args.get('kind') or 'XML'}")
    if not tree.expressions:
        raise SqlError.of(156, "FROM")
    for key in ("options", "hint", "kind"):
        tree.set(key, None)
    options = tree.args.get("limit") and tree.args["limit"].args.get("limit_options")
    if options and options.args.get("with_ties"):
        raise unsupported("TOP ... WITH TIES")


def limit(tree: exp.Expression) -> None:
    """TOP (@n) and FETCH take any number: DuckDB's LIMIT wants a bigint."""
    found = tree.args.get("limit")
    if isinstance(found, exp.Fetch) and found.args.get("count") is not None:
        tree.set("limit", exp.Limit(expression=found.args["count"]))


def order_by_outputs(tree: exp.Expression) -> None:
    """ORDER BY of a UNION means its columns, though they may be written as table.column."""
    order = tree.args.get("order")
    for column in order.find_all(exp.Column) if order is not None else ():
        column.set("table", None)
        column.set("db", None)


def apply(join: exp.Join) -> None:
    """CROSS APPLY and OUTER APPLY as lateral joins."""
    lateral = join.this
    outer = not lateral.args.get("cross_apply")
    lateral.set("cross_apply", None)
    join.set("side", "LEFT" if outer else None)
    join.set("kind", None if outer else "CROSS")
    if outer:
        join.set("on", exp.true())


def within_group(tree: exp.WithinGroup) -> None:
    """STRING_AGG(x, ',') WITHIN GROUP (ORDER BY y): the order goes inside the call."""
    call, order = tree.this, tree.expression
    if isinstance(call, exp.Cast):
        call = call.this
    if isinstance(call, exp.Anonymous) and call.name in ("quantile_cont", "quantile_disc"):
        (ordered,) = order.expressions
        share = call.expressions[0]
        if ordered.args.get("desc"):
            share = template("1 - $1", share)
        call.set("expressions", [ordered.this.copy(), share.copy()])
        tree.replace(call)
        return
    if not (isinstance(call, exp.Anonymous) and call.name == "string_agg"):
        raise unsupported("WITHIN GROUP of anything but STRING_AGG and percentiles")
    last = call.expressions[-1]
    last.replace(exp.Order(this=last.copy(), expressions=order.expressions))
    tree.replace(call)


# --- table functions ---------------------------------------------------------------------

TableFunction = Callable[[list[exp.Expression]], tuple[exp.Expression, list[Output]]]


def _openjson(arguments: list[exp.Expression]) -> tuple[exp.Expression, list[Output]]:
    if len(arguments) > 1:
        raise unsupported("OPENJSON with a path")
    sql = (
        "SELECT key, CASE WHEN type IN ('ARRAY', 'OBJECT') THEN CAST(value AS VARCHAR)"
        " ELSE atom END AS value, CASE type WHEN 'NULL' THEN 0 WHEN 'VARCHAR' THEN 1"
        " WHEN 'BOOLEAN' THEN 3 WHEN 'ARRAY' THEN 4 WHEN 'OBJECT' THEN 5 ELSE 2 END AS type"
        " FROM (SELECT key, value, type, CAST(atom ->> '$' AS VARCHAR) AS atom"
        " FROM json_each($1))"
    )
    return template(sql, *arguments), [
        Output("key", _NVARCHAR), Output("value", SqlType("nvarchar", MAX)), Output("type", INT),
    ]  # fmt: skip


def _string_split(arguments: list[exp.Expression]) -> tuple[exp.Expression, list[Output]]:
    sql = "SELECT unnest(string_split($1, $2)) AS value"
    return template(sql, *arguments[:2]), [Output("value", _NVARCHAR)]


def _generate_series(arguments: list[exp.Expression]) -> tuple[exp.Expression, list[Output]]:
    step = arguments[2] if len(arguments) > 2 else exp.Literal.number(1)
    sql = "SELECT CAST(unnest(generate_series($1, $2, $3)) AS INTEGER) AS value"
    return template(sql, *arguments[:2], step), [Output("value", INT)]


def _no_properties(arguments: list[exp.Expression]) -> tuple[exp.Expression, list[Output]]:
    """fn_listextendedproperty: the stand-in keeps no extended properties."""
    sql = "SELECT '' AS objtype, '' AS objname, '' AS name, '' AS value WHERE false"
    columns = [Output(name, SqlType("nvarchar", 128)) for name in ("objtype", "objname", "name")]
    return template(sql), [*columns, Output("value", SqlType("nvarchar", MAX))]


TABLE_FUNCTIONS: dict[str, TableFunction] = {
    "openjson": _openjson,
    "string_split": _string_split,
    "generate_series": _generate_series,
    "fn_listextendedproperty": _no_properties,
}
