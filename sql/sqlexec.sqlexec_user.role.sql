/*
Purpose: the role of those who run functions: EXECUTE on the procedures, and the database
         permission that every caller of an external script needs. No rights on tables.
Version: {{version}}
*/
IF DATABASE_PRINCIPAL_ID(N'sqlexec_user') IS NULL
    CREATE ROLE sqlexec_user AUTHORIZATION dbo;
GRANT EXECUTE ON OBJECT::sqlexec.execute_chunk TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.info TO sqlexec_user;
GRANT EXECUTE ANY EXTERNAL SCRIPT TO sqlexec_user;
