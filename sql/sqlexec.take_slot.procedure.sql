CREATE OR ALTER PROCEDURE sqlexec.take_slot
    @most_workers int,
    @slot nvarchar(255) OUTPUT
AS
/*
Purpose: take one of the places that the login has for external processes: an application lock, which
         goes with the session, however that ends. @slot is NULL where all are taken. Of the other
         procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @number int = 1;
    DECLARE @lock int = -1;

    WHILE @lock < 0 AND @number <= @most_workers
    BEGIN
        SET @slot = CONCAT(N'sqlexec slot ', @number, N' ', SUSER_SNAME());
        EXECUTE @lock = sys.sp_getapplock
            @Resource = @slot,
            @LockMode = 'Exclusive',
            @LockOwner = 'Session',
            @LockTimeout = 0;
        SET @number = @number + 1;
    END;
    IF @lock < 0
        SET @slot = NULL;
END;
