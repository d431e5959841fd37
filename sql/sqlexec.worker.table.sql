/*
Purpose: the sessions that work for durable jobs, while they do. One lives as long as it holds
         the application lock of its name; no clock is asked.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.worker', N'U') IS NULL
BEGIN
    CREATE TABLE sqlexec.worker
    (
        worker_id uniqueidentifier NOT NULL CONSTRAINT pk_worker PRIMARY KEY,
        job_id uniqueidentifier NOT NULL,
        kind varchar(6) NOT NULL,
        session_id int NOT NULL,
        started_at datetime2(3) NOT NULL
    );
    CREATE NONCLUSTERED INDEX ix_worker_job ON sqlexec.worker (job_id);
END;
