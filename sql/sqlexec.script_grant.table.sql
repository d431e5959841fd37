/*
Purpose: the users and roles of this database that may run a script, besides its owner, by name.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.script_grant', N'U') IS NULL
    CREATE TABLE sqlexec.script_grant
    (
        name nvarchar(128) NOT NULL,
        grantee nvarchar(128) NOT NULL,
        granted_by nvarchar(128) NOT NULL,
        granted_at datetime2(3) NOT NULL,
        CONSTRAINT pk_script_grant PRIMARY KEY (name, grantee)
    );
