/*
Purpose: payloads and results of durable jobs, each content once a job, by its SHA-256. Nobody has
         rights on it: a job's owner gets them through sqlexec.fetch_results.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.blob', N'U') IS NULL
    CREATE TABLE sqlexec.blob
    (
        job_id uniqueidentifier NOT NULL,
        blob_sha256 binary(32) NOT NULL,
        content varbinary(max) NOT NULL,
        CONSTRAINT pk_blob PRIMARY KEY (job_id, blob_sha256)
    );
