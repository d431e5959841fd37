"""CREATE, ALTER, DROP, GRANT: what changes the catalog and the tables behind it."""
