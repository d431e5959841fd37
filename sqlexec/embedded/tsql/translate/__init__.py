"""T-SQL's queries in DuckDB's words: names bound, types found, functions and casts replaced."""
