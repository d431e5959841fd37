/*
Purpose: a row for every chunk that was run: who, when, how much, how it ended. No user data:
         neither payloads nor results nor console text, and no texts of errors.
         login_name is whose rights counted, original_login who had logged in: for a job of
         SQL Server Agent its service. A column that a later version brings is an ALTER TABLE
         below, so that new tables and old ones become the same.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.chunk_log', N'U') IS NULL
    CREATE TABLE sqlexec.chunk_log
    (
        log_id bigint IDENTITY(1, 1) NOT NULL CONSTRAINT pk_chunk_log PRIMARY KEY,
        job_id uniqueidentifier NOT NULL,
        chunk_number int NOT NULL,
        login_name nvarchar(128) NOT NULL,
        user_name nvarchar(128) NOT NULL,
        application_name nvarchar(128) NULL,
        host_name nvarchar(128) NULL,
        session_id int NOT NULL,
        task_count int NOT NULL,
        failed_count int NULL,
        payload_bytes bigint NOT NULL,
        result_bytes bigint NULL,
        started_at datetime2(3) NOT NULL,
        ended_at datetime2(3) NULL,
        duration_ms int NULL,
        status varchar(16) NOT NULL,
        error_number int NULL
    );
IF COL_LENGTH(N'sqlexec.chunk_log', N'original_login') IS NULL
    ALTER TABLE sqlexec.chunk_log ADD original_login nvarchar(128) NULL;
IF COL_LENGTH(N'sqlexec.chunk_log', N'input_rows') IS NULL
    ALTER TABLE sqlexec.chunk_log ADD input_rows bigint NULL;
