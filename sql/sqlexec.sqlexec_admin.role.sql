/*
Purpose: the role of those who look after the jobs of all: list, cancel, clean up, purge, set limits. It gives
         no payloads and results, and no external scripts.
Version: {{version}}
*/
IF DATABASE_PRINCIPAL_ID(N'sqlexec_admin') IS NULL
    CREATE ROLE sqlexec_admin AUTHORIZATION dbo;
GRANT VIEW DEFINITION ON SCHEMA::sqlexec TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.help TO sqlexec_admin;
GRANT SELECT ON OBJECT::sqlexec.activity TO sqlexec_admin;
GRANT SELECT ON OBJECT::sqlexec.history TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.configure TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.info TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.jobs TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.cancel_job TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.cleanup_job TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.purge_jobs TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.scripts TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.load_script TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.grant_script TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.drop_script TO sqlexec_admin;
