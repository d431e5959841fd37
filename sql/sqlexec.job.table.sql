/*
Purpose: durable jobs: whose, what of it is done, how it ended. No user data.
         state: QUEUED, RUNNING, FINISHED, FAILED, CANCELED.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.job', N'U') IS NULL
BEGIN
    CREATE TABLE sqlexec.job
    (
        job_id uniqueidentifier NOT NULL CONSTRAINT pk_job PRIMARY KEY,
        owner_sid varbinary(85) NOT NULL,
        login_name nvarchar(128) NOT NULL,
        application_name nvarchar(128) NULL,
        host_name nvarchar(128) NULL,
        description nvarchar(400) NOT NULL,
        state varchar(10) NOT NULL,
        detached bit NOT NULL,
        worker_count int NOT NULL,
        task_count int NOT NULL,
        chunk_count int NOT NULL,
        chunks_done int NOT NULL CONSTRAINT df_job_chunks_done DEFAULT 0,
        chunks_failed int NOT NULL CONSTRAINT df_job_chunks_failed DEFAULT 0,
        tasks_done int NOT NULL CONSTRAINT df_job_tasks_done DEFAULT 0,
        tasks_failed int NOT NULL CONSTRAINT df_job_tasks_failed DEFAULT 0,
        most_attempts int NOT NULL,
        stop_on_error bit NOT NULL,
        timeout_seconds int NULL,
        grace_seconds int NOT NULL,
        auto_cleanup bit NOT NULL,
        console_output bit NOT NULL,
        protocol int NOT NULL,
        result_key varbinary(32) NOT NULL,
        client nvarchar(max) NOT NULL,
        payloads_sha256 binary(32) NOT NULL,
        shared_sha256 binary(32) NOT NULL,
        submitted_at datetime2(3) NOT NULL,
        started_at datetime2(3) NULL,
        active_at datetime2(3) NOT NULL,
        ended_at datetime2(3) NULL,
        error_number int NULL,
        error_message nvarchar(2048) NULL
    );
    CREATE NONCLUSTERED INDEX ix_job_owner ON sqlexec.job (owner_sid, submitted_at);
    CREATE NONCLUSTERED INDEX ix_job_state ON sqlexec.job (state);
END;
