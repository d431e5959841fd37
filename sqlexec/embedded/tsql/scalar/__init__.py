"""Values of T-SQL in Python: types, conversions, operators, functions."""
