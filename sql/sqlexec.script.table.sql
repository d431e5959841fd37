/*
Purpose: scripts that are run by their name. A version is never changed; the owner of a name is
         who stored it first. Nobody has rights on the table.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.script', N'U') IS NULL
    CREATE TABLE sqlexec.script
    (
        name nvarchar(128) NOT NULL,
        version int NOT NULL,
        language nvarchar(128) NOT NULL,
        source nvarchar(max) NOT NULL,
        parameters nvarchar(max) NOT NULL,
        description nvarchar(400) NOT NULL,
        owner_sid varbinary(85) NOT NULL,
        owner_name nvarchar(128) NOT NULL,
        created_at datetime2(3) NOT NULL,
        CONSTRAINT pk_script PRIMARY KEY (name, version)
    );
