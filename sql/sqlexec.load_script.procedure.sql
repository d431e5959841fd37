CREATE OR ALTER PROCEDURE sqlexec.load_script
    @name nvarchar(128) = NULL,
    @version int = NULL,
    @help bit = 0
AS
/*
Purpose: one row: a script with its source, the newest version by default. For those who may run it.
Version: {{version}}

@name     of the script.
@version  by default the newest.
@help     1: tell this, and do nothing else.

Example: EXECUTE sqlexec.load_script @name = N'answer';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'load_script';
        RETURN;
    END;

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
