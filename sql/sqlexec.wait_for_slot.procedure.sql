CREATE OR ALTER PROCEDURE sqlexec.wait_for_slot
    @job_id uniqueidentifier,
    @slot nvarchar(255) OUTPUT
AS
/*
Purpose: let a worker wait until its login has a place for one more external process, or the job has
         ended. @slot is NULL where the number of places has no limit. Of run_worker.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @most_workers int;

    SET @slot = NULL;
    EXECUTE sqlexec.read_limits @most_workers = @most_workers OUTPUT;
    WHILE @most_workers > 0 AND @slot IS NULL
        AND EXISTS (
            SELECT 1
            FROM sqlexec.job AS j
            WHERE j.job_id = @job_id AND j.state IN ('QUEUED', 'RUNNING'))
    BEGIN
        EXECUTE sqlexec.take_slot @most_workers = @most_workers, @slot = @slot OUTPUT;
        IF @slot IS NULL
        BEGIN
            WAITFOR DELAY '00:00:00.500';
            EXECUTE sqlexec.read_limits @most_workers = @most_workers OUTPUT;
        END;
    END;
END;
