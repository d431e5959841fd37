"""A backend of joblib's as a pool that outlives its processes: what RxForeachDoPar stands on.

pool.py (here) --submit--> the backend --> apart.py (in its processes)
  calls.py: calls and the lives of the pool      turns.py: who waits for whom
"""
