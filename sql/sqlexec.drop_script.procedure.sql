CREATE OR ALTER PROCEDURE sqlexec.drop_script
    @name nvarchar(128),
    @version int = NULL
AS
/*
Purpose: remove a version of a script, by default all of them; with the last one go its grants.
         For its owner and members of sqlexec_admin. One row: removed_versions.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

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
