CREATE OR ALTER PROCEDURE sqlexec.configure
    @name varchar(32) = NULL,
    @value bigint = NULL,
    @help bit = 0
AS
/*
Purpose: list the limits of this database, and set one of them. They hold whatever a client asks
         for, for what runs through the procedures of this schema. Whoever may EXECUTE ANY EXTERNAL
         SCRIPT can run others, as the procedures of create_procedure do: a resource pool limits
         all (prepare_server.sql). For members of sqlexec_admin.
Version: {{version}}

@name   kept_days, largest_payload_bytes, longest_run_seconds or most_workers_per_login.
@value  0 for no limit; NULL leaves it as it is.
@help   1: tell this, and do nothing else.

Example: EXECUTE sqlexec.configure @name = 'most_workers_per_login', @value = 4;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'configure';
        RETURN;
    END;

    DECLARE @is_known bit = CASE
        WHEN EXISTS (SELECT 1 FROM sqlexec.setting AS s WHERE s.setting_name = @name) THEN 1
        ELSE 0
    END;
    -- Greater ones would overflow dates, and timers of some systems.
    DECLARE @highest bigint = CASE @name
        WHEN 'kept_days' THEN 36500
        WHEN 'longest_run_seconds' THEN 1000000
        WHEN 'most_workers_per_login' THEN 10000
        ELSE 9223372036854775807
    END;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE WHEN @name IS NULL AND @value IS NOT NULL THEN N'sqlexec.configure: @name must have a value.' END,
        CASE
            WHEN @name IS NOT NULL AND @is_known = 0
            THEN CONCAT(N'sqlexec.configure: there is no limit ', @name, N'; without @name all are listed.')
        END,
        CASE
            WHEN @value < 0 OR @value > @highest
            THEN CONCAT(N'sqlexec.configure: @value must be 0 or more, and ', @highest, N' at most.')
        END);
    IF @message <> N''
        THROW 51702, @message, 1;

    UPDATE s
    SET setting_value = @value, changed_at = SYSUTCDATETIME(), changed_by = SUSER_SNAME()
    FROM sqlexec.setting AS s
    WHERE s.setting_name = @name AND @value IS NOT NULL AND s.setting_value <> @value;

    SELECT s.setting_name, s.setting_value, s.description, s.changed_at, s.changed_by
    FROM sqlexec.setting AS s
    WHERE @name IS NULL OR s.setting_name = @name
    ORDER BY s.setting_name;
END;
