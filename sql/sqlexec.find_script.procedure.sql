CREATE OR ALTER PROCEDURE sqlexec.find_script
    @name nvarchar(128),
    @version int = NULL OUTPUT,
    @as_owner bit = 0,
    @source nvarchar(max) = NULL OUTPUT
AS
/*
Purpose: find a version of a script, the newest by default, that the caller may use: its owner, who
         was granted it, members of sqlexec_admin; 51741 where there is none. Of the other
         procedures.
Version: {{version}}

@as_owner  1: for the owner and members of sqlexec_admin alone.
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @found int;
    DECLARE @message nvarchar(2048);

    IF @name IS NULL
        THROW 51742, N'@name must have a value; sqlexec.scripts lists those that you may run.', 1;

    SELECT TOP (1) @found = s.version, @source = s.source
    FROM sqlexec.script AS s
    WHERE s.name = @name AND (@version IS NULL OR s.version = @version)
        AND (
            s.owner_sid = SUSER_SID()
            OR IS_ROLEMEMBER(N'sqlexec_admin') = 1
            OR (
                @as_owner = 0
                AND EXISTS (
                    SELECT 1
                    FROM sqlexec.script_grant AS g
                    INNER JOIN sys.user_token AS t ON t.name = g.grantee AND t.usage = N'GRANT OR DENY'
                    WHERE g.name = s.name
                )
            )
        )
    ORDER BY s.version DESC;
    IF @found IS NULL
    BEGIN
        SET @message = CONCAT(
            N'There is no script ', @name, N' (version ' + CAST(@version AS nvarchar(11)) + N')',
            CASE WHEN @as_owner = 1 THEN N' of yours' ELSE N' that you may run' END,
            N' in database ', DB_NAME(), N'.');
        THROW 51741, @message, 1;
    END;
    SET @version = @found;
END;
