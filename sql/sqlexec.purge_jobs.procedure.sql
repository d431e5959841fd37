CREATE OR ALTER PROCEDURE sqlexec.purge_jobs
    @older_than_days int = 30,
    @everybodys bit = 0,
    @help bit = 0
AS
/*
Purpose: remove jobs that ended so long ago, with their payloads and results. One row:
         removed_jobs.
Version: {{version}}

@older_than_days  counted from their end.
@everybodys       1: of all logins; for members of sqlexec_admin and db_owner, and for a
                  schedule of SQL Server Agent that a DBA may make.
@help             1: tell this, and do nothing else.

Example: EXECUTE sqlexec.purge_jobs @older_than_days = 7;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'purge_jobs';
        RETURN;
    END;

    DECLARE @removed int = 0;
    DECLARE @batch int = 1;
    DECLARE @before datetime2(3);
    DECLARE @owner_sid varbinary(85);
    DECLARE @is_allowed bit = CASE
        WHEN @everybodys = 1 AND ISNULL(IS_ROLEMEMBER(N'sqlexec_admin'), 0) <> 1
            AND ISNULL(IS_ROLEMEMBER(N'db_owner'), 0) <> 1 THEN 0
        ELSE 1
    END;
    DECLARE @error_number int = CASE WHEN @is_allowed = 0 THEN 51711 ELSE 51702 END;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE
            WHEN @is_allowed = 0
            THEN N'sqlexec.purge_jobs: @everybodys = 1 is for members of the roles sqlexec_admin and db_owner.'
        END,
        CASE
            WHEN @older_than_days IS NULL OR @older_than_days < 0
            THEN N'sqlexec.purge_jobs: @older_than_days must be 0 or more.'
        END);

    IF @message <> N''
        THROW @error_number, @message, 1;

    SET @before = DATEADD(DAY, -@older_than_days, SYSUTCDATETIME());
    IF ISNULL(@everybodys, 0) = 0
        SET @owner_sid = SUSER_SID();
    WHILE @batch > 0
    BEGIN
        EXECUTE sqlexec.remove_jobs
            @ended_before = @before,
            @owner_sid = @owner_sid,
            @removed = @batch OUTPUT;
        SET @removed = @removed + @batch;
    END;
    SELECT @removed AS removed_jobs;
END;
