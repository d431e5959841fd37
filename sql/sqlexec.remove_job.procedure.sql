CREATE OR ALTER PROCEDURE sqlexec.remove_job
    @job_id uniqueidentifier
AS
/*
Purpose: remove all rows of a job. Of the other procedures, which ask whose it is.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    BEGIN TRANSACTION;
    DELETE c FROM sqlexec.chunk AS c WHERE c.job_id = @job_id;
    DELETE w FROM sqlexec.worker AS w WHERE w.job_id = @job_id;
    DELETE b FROM sqlexec.blob AS b WHERE b.job_id = @job_id;
    DELETE j FROM sqlexec.job AS j WHERE j.job_id = @job_id;
    COMMIT TRANSACTION;
END;
