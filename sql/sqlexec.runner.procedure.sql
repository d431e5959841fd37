CREATE OR ALTER PROCEDURE sqlexec.runner
    @source nvarchar(max) = NULL OUTPUT,
    @source_sha256 char(64) = NULL OUTPUT,
    @protocol int = NULL OUTPUT,
    @version nvarchar(32) = NULL OUTPUT
AS
/*
Purpose: the Python script that runs chunks, for execute_chunk to hand to
         sp_execute_external_script. Its source in the repository is sqlexec/runner; the text
         below is generated from it.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    SET @version = N'{{version}}';
    SET @protocol = {{protocol}};
    SET @source_sha256 = '{{runner_hash}}';
    SET @source = {{runner_source}};
END;
