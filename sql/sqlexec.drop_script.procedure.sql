CREATE OR ALTER PROCEDURE sqlexec.drop_script
    @name nvarchar(128) = NULL,
    @version int = NULL,
    @help bit = 0
AS
/*
Purpose: remove a version of a script, by default all of them; with the last one go its grants.
         For its owner and members of sqlexec_admin. One row: removed_versions.
Version: {{version}}

@name     of the script.
@version  that one alone.
@help     1: tell this, and do nothing else.

Example: EXECUTE sqlexec.drop_script @name = N'answer', @version = 1;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'drop_script';
        RETURN;
    END;

    DECLARE @found int = @version;
    DECLARE @removed int;

    EXECUTE sqlexec.find_script @name = @name, @version = @found OUTPUT, @as_owner = 1;
    BEGIN TRANSACTION;
    DELETE FROM sqlexec.script WHERE name = @name AND (@version IS NULL OR version = @version);
    SET @removed = @@ROWCOUNT;
    IF NOT EXISTS (SELECT 1 FROM sqlexec.script AS s WHERE s.name = @name)
        DELETE FROM sqlexec.script_grant WHERE name = @name;
    COMMIT TRANSACTION;
    SELECT @removed AS removed_versions;
END;
