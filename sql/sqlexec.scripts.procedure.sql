CREATE OR ALTER PROCEDURE sqlexec.scripts
    @name nvarchar(128) = NULL,
    @help bit = 0
AS
/*
Purpose: list the versions of the scripts that the caller may run, those of @name alone if given.
Version: {{version}}

@name  that one alone.
@help  1: tell this, and do nothing else.

Example: EXECUTE sqlexec.scripts;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'scripts';
        RETURN;
    END;

    SELECT
        s.name,
        s.version,
        s.language,
        s.parameters,
        s.description,
        s.owner_name,
        s.created_at
    FROM sqlexec.script AS s
    WHERE (@name IS NULL OR s.name = @name)
        AND (
            s.owner_sid = SUSER_SID()
            OR IS_ROLEMEMBER(N'sqlexec_admin') = 1
            OR EXISTS (
                SELECT 1
                FROM sqlexec.script_grant AS g
                INNER JOIN sys.user_token AS t ON t.name = g.grantee AND t.usage = N'GRANT OR DENY'
                WHERE g.name = s.name
            )
        )
    ORDER BY s.name, s.version;
END;
