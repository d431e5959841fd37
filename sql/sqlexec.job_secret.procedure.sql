CREATE OR ALTER PROCEDURE sqlexec.job_secret
    @job_id uniqueidentifier = NULL,
    @help bit = 0
AS
/*
Purpose: what the owner's client needs to verify and read the results of a job: one row.
Version: {{version}}

@job_id  of a job of the caller's.
@help    1: tell this, and do nothing else.

Example: EXECUTE sqlexec.job_secret @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'job_secret';
        RETURN;
    END;

    EXECUTE sqlexec.find_job @job_id = @job_id;
    SELECT j.result_key, j.client, j.protocol
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id;
END;
