"""SELECT, INSERT, UPDATE, DELETE: made into plans once, run over DuckDB."""
