/*
Purpose: the role of those who run functions: EXECUTE on the procedures, and the database
         permission that every caller of an external script needs. No rights on tables.
Version: {{version}}
*/
IF DATABASE_PRINCIPAL_ID(N'sqlexec_user') IS NULL
    CREATE ROLE sqlexec_user AUTHORIZATION dbo;
GRANT EXECUTE ON OBJECT::sqlexec.execute_chunk TO sqlexec_user;
GRANT VIEW DEFINITION ON SCHEMA::sqlexec TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.help TO sqlexec_user;
GRANT SELECT ON OBJECT::sqlexec.activity TO sqlexec_user;
GRANT SELECT ON OBJECT::sqlexec.history TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.info TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.submit_job TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.run_worker TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.jobs TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.job_secret TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.fetch_results TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.fetch_console TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.cancel_job TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.cleanup_job TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.purge_jobs TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.resume_job TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.store_script TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.scripts TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.load_script TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.grant_script TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.drop_script TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.run_script TO sqlexec_user;
GRANT EXECUTE ANY EXTERNAL SCRIPT TO sqlexec_user;
