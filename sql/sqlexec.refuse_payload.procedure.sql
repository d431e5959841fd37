CREATE OR ALTER PROCEDURE sqlexec.refuse_payload
    @payload_bytes bigint,
    @largest_payload_bytes bigint
AS
/*
Purpose: raise 51750: a payload is larger than the limit. Of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @message nvarchar(2048) = CONCAT(
        N'The payload has ', @payload_bytes, N' bytes, but largest_payload_bytes of database ',
        DB_NAME(), N' is ', @largest_payload_bytes, N'. Send less: read large data by the query of a '
        , N'data source. A member of sqlexec_admin may change the limit: EXECUTE sqlexec.configure.');

    THROW 51750, @message, 1;
END;
