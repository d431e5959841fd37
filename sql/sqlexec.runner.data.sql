/*
Purpose: store the runner, the Python side of the bundle. Its source in the repository is
         sqlexec/runner; this text is generated from it. The same runner is not stored again.
Version: {{version}}
*/
SET NOCOUNT ON;
SET XACT_ABORT ON;
IF NOT EXISTS
(
    SELECT 1
    FROM sqlexec.runner AS r
    WHERE r.protocol = {{protocol}} AND r.version = N'{{version}}' AND r.source_sha256 = '{{runner_hash}}'
)
BEGIN
    BEGIN TRANSACTION;
    DELETE FROM sqlexec.runner;
    INSERT INTO sqlexec.runner
        (protocol, version, source_sha256, source, installed_at, installed_by)
    VALUES
        ({{protocol}}, N'{{version}}', '{{runner_hash}}', {{runner_source}}, SYSUTCDATETIME(), SUSER_SNAME());
    COMMIT TRANSACTION;
END;
