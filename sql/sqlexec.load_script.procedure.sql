CREATE OR ALTER PROCEDURE sqlexec.load_script
    @name nvarchar(128),
    @version int = NULL
AS
/*
Purpose: one row: a script with its source, the newest version by default. For those who may run it.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    EXECUTE sqlexec.find_script @name = @name, @version = @version OUTPUT;
    SELECT
        s.name,
        s.version,
        s.language,
        s.parameters,
        s.description,
        s.owner_name,
        s.created_at,
        s.source
    FROM sqlexec.script AS s
    WHERE s.name = @name AND s.version = @version;
END;
