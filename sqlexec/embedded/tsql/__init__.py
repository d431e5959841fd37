"""T-SQL for one session: text in, result sets, counts, messages and errors out.

    batch text
      |  syntax/       tokens, expressions and statements as nodes; queries and DDL stay text
      v
    nodes (kept by text)
      |  run/          the interpreter: control flow, variables, calls, TRY, transactions
      |    +---------> scalar/        expressions in Python: types, conversions, functions
      |    +---------> procedures/    system procedures, sp_execute_external_script among them
      v
    statements with rows
      |  queries/      SELECT, INSERT, UPDATE, DELETE: plans, made once and kept
      |  definitions/  CREATE, ALTER, DROP, GRANT: the catalog and the tables behind it
      v
    sqlglot trees
      |  translate/    names bound, types found, functions and casts in DuckDB's words
      v
    DuckDB  (engine.py)  ->  Arrow batches, counts, errors  ->  the session's Sink

Where a change goes: a statement's grammar to syntax, what it does to run/rules.py; a function of
values to scalar (and its form inside queries to translate/functions.py); a type's conversion to
scalar/conversions.py and translate/casts.py; a system view to catalog/view_texts.py.

Imports look down only, in this order: run, procedures, queries, definitions, translate, scalar,
syntax; then `state`, `signals` and `errors`, which all of them share.
"""
