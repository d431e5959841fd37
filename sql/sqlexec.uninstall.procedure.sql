CREATE OR ALTER PROCEDURE sqlexec.uninstall
    @print_only bit = 1,
    @even_if_jobs_run bit = 0,
    @help bit = 0
AS
/*
Purpose: remove the bundle from this database, with all jobs, results, logs and limits: its own
         procedures, views, tables and roles by name, and the schema where nothing else is in it.
         One row for each statement. For members of db_owner.
Version: {{version}}

@print_only        1: run nothing, only tell the statements.
@even_if_jobs_run  1: do not refuse while jobs wait or run.
@help              1: tell this, and do nothing else.

Example: EXECUTE sqlexec.uninstall @print_only = 0;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'uninstall';
        RETURN;
    END;

    DECLARE @number int = 1;
    DECLARE @statement nvarchar(max);
    DECLARE @statements TABLE
    (
        statement_number int IDENTITY(1, 1) NOT NULL PRIMARY KEY,
        statement nvarchar(max) NOT NULL
    );
    DECLARE @own TABLE (object_name sysname NOT NULL PRIMARY KEY, kind varchar(9) NOT NULL);

    INSERT INTO @own (object_name, kind)
    VALUES
{{objects}};

    IF @print_only = 0 AND ISNULL(@even_if_jobs_run, 0) = 0
        AND EXISTS (SELECT 1 FROM sqlexec.job AS j WHERE j.state IN ('QUEUED', 'RUNNING'))
        THROW 51755, N'sqlexec.uninstall: jobs wait or run. Wait, cancel them (sqlexec.jobs @everybodys = 1 lists them), or use @even_if_jobs_run = 1.', 1;

    INSERT INTO @statements (statement)
    SELECT CONCAT(N'ALTER ROLE ', r.name, N' DROP MEMBER ', QUOTENAME(m.name), N';')
    FROM sys.database_role_members AS x
    INNER JOIN sys.database_principals AS r ON r.principal_id = x.role_principal_id
    INNER JOIN sys.database_principals AS m ON m.principal_id = x.member_principal_id
    INNER JOIN @own AS w ON w.object_name = r.name AND w.kind = 'ROLE'
    ORDER BY r.name, m.name;

    INSERT INTO @statements (statement)
    SELECT CONCAT(N'DROP ROLE ', p.name, N';')
    FROM sys.database_principals AS p
    INNER JOIN @own AS w ON w.object_name = p.name AND w.kind = 'ROLE'
    WHERE p.type = 'R'
    ORDER BY p.name;

    INSERT INTO @statements (statement)
    SELECT CONCAT(N'DROP ', w.kind, N' sqlexec.', o.name, N';')
    FROM sys.objects AS o
    INNER JOIN @own AS w ON w.object_name = o.name
    WHERE o.schema_id = SCHEMA_ID(N'sqlexec')
        AND o.type = CASE w.kind WHEN 'PROCEDURE' THEN 'P' WHEN 'VIEW' THEN 'V' WHEN 'TABLE' THEN 'U' END
    ORDER BY CASE WHEN o.name = N'uninstall' THEN 1 ELSE 0 END, w.kind, o.name;

    IF NOT EXISTS (
        SELECT 1
        FROM sys.objects AS o
        WHERE o.schema_id = SCHEMA_ID(N'sqlexec') AND o.parent_object_id = 0
            AND o.name NOT IN (SELECT w.object_name FROM @own AS w))
        INSERT INTO @statements (statement) VALUES (N'DROP SCHEMA sqlexec;');

    IF @print_only = 0
    BEGIN
        BEGIN TRANSACTION;
        WHILE EXISTS (SELECT 1 FROM @statements AS s WHERE s.statement_number = @number)
        BEGIN
            SELECT @statement = s.statement FROM @statements AS s WHERE s.statement_number = @number;
            EXECUTE sys.sp_executesql @statement;
            SET @number = @number + 1;
        END;
        COMMIT TRANSACTION;
    END;
    SELECT s.statement FROM @statements AS s ORDER BY s.statement_number;
END;
