CREATE OR ALTER PROCEDURE sqlexec.help
    @procedure sysname
AS
/*
Purpose: tell what a procedure of this schema is for: its header, a line a row, and a row for each
         of its parameters. Every public procedure calls it for @help = 1.
Version: {{version}}

@procedure  its name, without the schema.

Example: EXECUTE sqlexec.help @procedure = N'execute_chunk';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @object_id int = OBJECT_ID(N'sqlexec.' + QUOTENAME(@procedure), N'P');
    DECLARE @text nvarchar(max) = REPLACE(OBJECT_DEFINITION(@object_id), NCHAR(13), N'');
    DECLARE @start int = CHARINDEX(N'/*', @text) + 3;
    DECLARE @lines TABLE (line_number int NOT NULL PRIMARY KEY, line nvarchar(400) NOT NULL);
    DECLARE @message nvarchar(2048);

    IF @text IS NULL
    BEGIN
        SET @message = CONCAT(N'There is no procedure sqlexec.', QUOTENAME(@procedure), N' that you may read.');
        THROW 51702, @message, 1;
    END;

    -- A JSON list has an order, which STRING_SPLIT has not.
    SET @text = SUBSTRING(@text, @start, CHARINDEX(N'*/', @text) - @start - 1);
    SET @text = REPLACE(REPLACE(@text, N'\', N'\\'), N'"', N'\"');
    SET @text = N'["' + REPLACE(@text, NCHAR(10), N'","') + N'"]';
    INSERT INTO @lines (line_number, line)
    SELECT CAST(l.[key] AS int) + 1, l.value
    FROM OPENJSON(@text) AS l;

    SELECT l.line AS help
    FROM @lines AS l
    ORDER BY l.line_number;

    SELECT
        p.name AS parameter,
        CONCAT(
            TYPE_NAME(p.user_type_id),
            CASE
                WHEN p.max_length = -1 THEN N'(max)'
                WHEN TYPE_NAME(p.user_type_id) = N'nvarchar' THEN CONCAT(N'(', p.max_length / 2, N')')
                WHEN TYPE_NAME(p.user_type_id) IN (N'varchar', N'char', N'varbinary')
                THEN CONCAT(N'(', p.max_length, N')')
            END) AS type,
        p.is_output,
        (
            SELECT MIN(LTRIM(SUBSTRING(l.line, LEN(p.name) + 1, 400)))
            FROM @lines AS l
            WHERE l.line LIKE p.name + N' %'
        ) AS description
    FROM sys.parameters AS p
    WHERE p.object_id = @object_id
    ORDER BY p.parameter_id;
END;
