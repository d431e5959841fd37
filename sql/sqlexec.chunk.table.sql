/*
Purpose: the chunks of durable jobs: which worker has which, what came of it.
         state: waiting, running, done, failed. A chunk that is done has a result, or the error that
         its tasks end with. first_place: of its first task among those of its payload.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.chunk', N'U') IS NULL
    CREATE TABLE sqlexec.chunk
    (
        job_id uniqueidentifier NOT NULL,
        chunk_number int NOT NULL,
        state varchar(8) NOT NULL,
        first_task int NOT NULL,
        task_count int NOT NULL,
        payload_start bigint NOT NULL,
        payload_bytes bigint NOT NULL,
        input_query nvarchar(max) NOT NULL,
        attempt_count int NOT NULL CONSTRAINT df_chunk_attempt_count DEFAULT 0,
        worker_id uniqueidentifier NULL,
        completed_number int NULL,
        result_sha256 binary(32) NULL,
        result_encoding varchar(6) NULL,
        result_length int NULL,
        header_length int NULL,
        failed_count int NULL,
        started_at datetime2(3) NULL,
        ended_at datetime2(3) NULL,
        error_number int NULL,
        error_message nvarchar(2048) NULL,
        CONSTRAINT pk_chunk PRIMARY KEY (job_id, chunk_number)
    );
IF COL_LENGTH(N'sqlexec.chunk', N'first_place') IS NULL
    ALTER TABLE sqlexec.chunk ADD first_place int NOT NULL CONSTRAINT df_chunk_first_place DEFAULT 0;
