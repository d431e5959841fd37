/*
Purpose: the limits that members of sqlexec_admin set by sqlexec.configure; 0 for none. A limit that
         a later version brings is a row that its installation adds.
Version: {{version}}
*/
IF OBJECT_ID(N'sqlexec.setting', N'U') IS NULL
    CREATE TABLE sqlexec.setting
    (
        setting_name varchar(32) NOT NULL CONSTRAINT pk_setting PRIMARY KEY,
        setting_value bigint NOT NULL,
        description nvarchar(200) NOT NULL,
        changed_at datetime2(3) NULL,
        changed_by nvarchar(128) NULL
    );
INSERT INTO sqlexec.setting (setting_name, setting_value, description)
SELECT d.setting_name, 0, d.description
FROM (
    VALUES
        ('kept_days', N'how long ended jobs and the rows of the log are kept'),
        ('largest_payload_bytes', N'of a call, or of all calls of a durable job'),
        ('longest_run_seconds', N'of one run of a function'),
        ('most_workers_per_login', N'external processes of a login at the same time')
) AS d (setting_name, description)
WHERE NOT EXISTS (SELECT 1 FROM sqlexec.setting AS s WHERE s.setting_name = d.setting_name);
