"""What is wrong with a server, and how to mend it: `sqlexec doctor` and `sqlexec.doctor`.

    doctor(cc) -> Examination: one session, what earlier checks learnt
      connecting   driver, network, TLS, login, database          each check -> Finding
      instance     version, clock, round trip, scripts, pool      (pass, warn, fail, skipped;
      bundle       version, objects, permissions                  what was seen; the fix)
      launches     launchpad, Python, function, parallel
      agent
    Diagnosis: the findings; as text, as a table, as HTML, as JSON

A check is one small function.  One that fails or crashes stops none but those that need it.
"""
