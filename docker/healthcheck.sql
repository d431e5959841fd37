/* Raises an error unless the bundle is installed and a Python script runs inside the server. */
SET NOCOUNT ON;
IF OBJECT_ID(N'sqlexec.execute_chunk', N'P') IS NULL
    THROW 50000, N'The bundle is not installed in this database (yet).', 1;
DECLARE @answer int = 0;
EXECUTE sys.sp_execute_external_script
    @language = N'Python',
    @script = N'answer = 6 * 7',
    @params = N'@answer int OUTPUT',
    @answer = @answer OUTPUT;
IF @answer <> 42
    THROW 50001, N'The Python script ran, but its answer did not come back.', 1;
GO
