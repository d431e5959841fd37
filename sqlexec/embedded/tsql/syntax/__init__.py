"""Text of T-SQL: tokens, names, statements and expressions as nodes, where statements end."""
