CREATE OR ALTER PROCEDURE sqlexec.jobs
    @job_id uniqueidentifier = NULL,
    @states nvarchar(100) = NULL,
    @since datetime2(3) = NULL,
    @until datetime2(3) = NULL,
    @everybodys bit = 0,
    @most int = 2147483647,
    @help bit = 0
AS
/*
Purpose: list the caller's durable jobs, the newest first.
Version: {{version}}

@job_id        that one alone.
@states        only those, as N'RUNNING,FINISHED'.
@since         when they were submitted at the earliest, UTC.
@until         when they were submitted at the latest, UTC.
@everybodys    1: of all logins; for members of sqlexec_admin and db_owner.
@most          so many at most.
@help          1: tell this, and do nothing else.

Example: EXECUTE sqlexec.jobs @states = N'RUNNING,FAILED', @most = 10;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'jobs';
        RETURN;
    END;

    DECLARE @next uniqueidentifier;
    DECLARE @open TABLE (job_id uniqueidentifier NOT NULL);
    DECLARE @unknown_states nvarchar(100) = (
        SELECT STRING_AGG(TRIM(s.value), N', ')
        FROM STRING_SPLIT(@states, N',') AS s
        WHERE TRIM(s.value) NOT IN (N'', N'QUEUED', N'RUNNING', N'FINISHED', N'FAILED', N'CANCELED'));
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
            THEN N'sqlexec.jobs: @everybodys = 1 is for members of the roles sqlexec_admin and db_owner.'
        END,
        CASE
            WHEN @unknown_states IS NOT NULL
            THEN CONCAT(N'sqlexec.jobs: @states has ', @unknown_states,
                N'; a state is QUEUED, RUNNING, FINISHED, FAILED or CANCELED.')
        END,
        CASE WHEN @most IS NULL OR @most < 0 THEN N'sqlexec.jobs: @most must be 0 or more.' END);

    IF @message <> N''
        THROW @error_number, @message, 1;

    INSERT INTO @open (job_id)
    SELECT j.job_id
    FROM sqlexec.job AS j
    WHERE (
            j.state IN ('QUEUED', 'RUNNING')
            OR EXISTS (SELECT 1 FROM sqlexec.worker AS w WHERE w.job_id = j.job_id))
        AND (@job_id IS NULL OR j.job_id = @job_id)
        AND (@everybodys = 1 OR j.owner_sid = SUSER_SID());
    WHILE EXISTS (SELECT 1 FROM @open AS o)
    BEGIN
        SELECT TOP (1) @next = o.job_id FROM @open AS o;
        DELETE FROM @open WHERE job_id = @next;
        EXECUTE sqlexec.settle_job @job_id = @next;
    END;

    SELECT TOP (@most)
        j.job_id,
        j.login_name,
        j.application_name,
        j.host_name,
        j.description,
        j.state,
        j.detached,
        j.worker_count,
        j.task_count,
        j.tasks_done,
        j.tasks_failed,
        j.chunk_count,
        j.chunks_done,
        j.chunks_failed,
        j.stop_on_error,
        j.timeout_seconds,
        j.auto_cleanup,
        j.console_output,
        j.submitted_at,
        j.started_at,
        j.ended_at,
        j.error_number,
        j.error_message
    FROM sqlexec.job AS j
    WHERE (@job_id IS NULL OR j.job_id = @job_id)
        AND (@everybodys = 1 OR j.owner_sid = SUSER_SID())
        AND (@states IS NULL OR j.state IN (SELECT TRIM(s.value) FROM STRING_SPLIT(@states, N',') AS s))
        AND (@since IS NULL OR j.submitted_at >= @since)
        AND (@until IS NULL OR j.submitted_at <= @until)
    ORDER BY j.submitted_at DESC
    OPTION (RECOMPILE);
END;
