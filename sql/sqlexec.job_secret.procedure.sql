CREATE OR ALTER PROCEDURE sqlexec.job_secret
    @job_id uniqueidentifier
AS
/*
Purpose: what the owner's client needs to verify and read the results of a job: one row.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    EXECUTE sqlexec.find_job @job_id = @job_id;
    SELECT j.result_key, j.client, j.protocol
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id;
END;
