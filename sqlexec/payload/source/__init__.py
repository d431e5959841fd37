"""Pickle functions and classes by source, for a server of another Python version.

function --source file--> (text, file, line) ----+
         --globals it names, cells, defaults--> state --pickle--> bytes
         --modules of the user's--> whole sources

One pickler does all: to pickle a function is to pickle a call of `runner.functions.define`
with its text, then one of `complete` with what it reaches.  So identity, recursion and shared
cells come out as they went in.
"""
