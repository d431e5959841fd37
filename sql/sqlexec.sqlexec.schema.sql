/*
Purpose: the schema that holds all of sqlexec's objects, owned by dbo, so that one chain of
         ownership covers them and nobody needs rights on the tables.
Version: {{version}}
*/
IF SCHEMA_ID(N'sqlexec') IS NULL
    EXECUTE (N'CREATE SCHEMA sqlexec AUTHORIZATION dbo;');
