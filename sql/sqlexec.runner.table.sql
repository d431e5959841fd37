/*
Purpose: the Python script that runs chunks, one row: what execute_chunk hands to
         sp_execute_external_script as @script. sqlexec.runner.data.sql fills it.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.runner', N'U') IS NULL
    CREATE TABLE sqlexec.runner
    (
        protocol int NOT NULL CONSTRAINT pk_runner PRIMARY KEY,
        version nvarchar(32) NOT NULL,
        source_sha256 char(64) NOT NULL,
        source nvarchar(max) NOT NULL,
        installed_at datetime2(3) NOT NULL,
        installed_by nvarchar(128) NOT NULL
    );
