CREATE OR ALTER PROCEDURE sqlexec.store_script
    @name nvarchar(128) = NULL,
    @source nvarchar(max) = NULL,
    @parameters nvarchar(max) = N'[]',
    @description nvarchar(400) = N'',
    @version int = NULL OUTPUT,
    @help bit = 0
AS
/*
Purpose: keep a Python script to be run by its name. One row: version.
Version: {{version}}

@name         of the script.
@source       takes args_json, a JSON object as text, and InputDataSet; gives result_json, which
              is {"result": ...}.
@parameters   JSON, what the script takes: [{"name": ..., "type": ..., "required": ...}, ...].
@description  a line for lists.
@version      1 or more; by default the next one. One that exists is not changed.
@help         1: tell this, and do nothing else.

The name belongs to the login that stores it first; it and members of sqlexec_admin may add
versions. The caller needs the role sqlexec_user.

Example: EXECUTE sqlexec.store_script @name = N'answer', @source = N'result_json = "{}"';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'store_script';
        RETURN;
    END;

    DECLARE @owner_sid varbinary(85) = SUSER_SID();
    DECLARE @owner_name nvarchar(128) = SUSER_SNAME();
    DECLARE @last int;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE
            WHEN @name IS NULL OR LTRIM(@name) = N''
            THEN N'sqlexec.store_script: @name must have a value.'
        END,
        CASE WHEN @source IS NULL THEN N'sqlexec.store_script: @source must have a value.' END,
        CASE
            WHEN ISNULL(ISJSON(@parameters), 0) = 0
            THEN N'sqlexec.store_script: @parameters must be JSON.'
        END,
        CASE WHEN @description IS NULL THEN N'sqlexec.store_script: @description must have a value.' END,
        CASE WHEN @version < 1 THEN N'sqlexec.store_script: @version must be 1 or more.' END);

    IF @message <> N''
        THROW 51742, @message, 1;

    BEGIN TRANSACTION;
    SELECT TOP (1) @last = s.version, @owner_sid = s.owner_sid, @owner_name = s.owner_name
    FROM sqlexec.script AS s WITH (UPDLOCK, HOLDLOCK)
    WHERE s.name = @name
    ORDER BY s.version DESC;
    IF @owner_sid <> SUSER_SID() AND ISNULL(IS_ROLEMEMBER(N'sqlexec_admin'), 0) <> 1
        THROW 51743, N'sqlexec.store_script: another login has a script of that name; choose another.', 1;
    SET @version = ISNULL(@version, ISNULL(@last, 0) + 1);
    IF EXISTS (SELECT 1 FROM sqlexec.script AS s WHERE s.name = @name AND s.version = @version)
        THROW 51744, N'sqlexec.store_script: there is that version already; leave @version out for the next one.', 1;
    INSERT INTO sqlexec.script
        (name, version, language, source, parameters, description, owner_sid, owner_name, created_at)
    VALUES
        (@name, @version, N'Python', @source, @parameters, @description, @owner_sid, @owner_name,
         SYSUTCDATETIME());
    COMMIT TRANSACTION;
    SELECT @version AS version;
END;
