/*
Purpose: remove sqlexec from a database: procedures, views, tables with all jobs and logs, roles and
         schema; nothing else. As it stands it only tells the statements: read them, change
         @print_only to 0, run it again as a member of db_owner.

How to run it: sqlcmd -S server -d database -b -i uninstall.sql
or open it in SSMS, choose the database, Execute; or: sqlexec uninstall CONNECTION [--yes].
Licence: MIT.
*/
EXECUTE sqlexec.uninstall @print_only = 1, @even_if_jobs_run = 0;
