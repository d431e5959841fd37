"""The interpreter: statements one after the other, calls, errors, transactions."""
