"""Run a Python function inside SQL Server, next to the data, in parallel processes."""

__version__ = "0.1.0"
