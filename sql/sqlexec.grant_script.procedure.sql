CREATE OR ALTER PROCEDURE sqlexec.grant_script
    @name nvarchar(128) = NULL,
    @grantee nvarchar(128) = NULL,
    @revoke bit = 0,
    @help bit = 0
AS
/*
Purpose: let a user or role of this database run all versions of a script, or no more.
         For its owner and members of sqlexec_admin.
Version: {{version}}

@name     of the script.
@grantee  by name: a user, a role, or public. It also needs the role sqlexec_user.
@revoke   1: take the right back.
@help     1: tell this, and do nothing else.

Example: EXECUTE sqlexec.grant_script @name = N'answer', @grantee = N'ann';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'grant_script';
        RETURN;
    END;

    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE WHEN @name IS NULL THEN N'sqlexec.grant_script: @name must have a value.' END,
        CASE
            WHEN @grantee IS NULL OR LTRIM(@grantee) = N''
            THEN N'sqlexec.grant_script: @grantee must name a user or a role of this database.'
        END);

    IF @message <> N''
        THROW 51742, @message, 1;
    EXECUTE sqlexec.find_script @name = @name, @as_owner = 1;

    BEGIN TRANSACTION;
    DELETE FROM sqlexec.script_grant WHERE name = @name AND grantee = @grantee;
    IF ISNULL(@revoke, 0) = 0
        INSERT INTO sqlexec.script_grant (name, grantee, granted_by, granted_at)
        VALUES (@name, @grantee, SUSER_SNAME(), SYSUTCDATETIME());
    COMMIT TRANSACTION;
END;
