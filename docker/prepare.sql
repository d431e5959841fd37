/* What the instance of a container needs before the bundle: run by start.sh, as sa, every time. */
SET NOCOUNT ON;
EXECUTE sys.sp_configure @configname = N'external scripts enabled', @configvalue = 1;
RECONFIGURE WITH OVERRIDE;
IF DB_ID(N'sqlexec') IS NULL
    EXECUTE (N'CREATE DATABASE sqlexec;');
GO
