"""SQL Server's shape of errors and messages, and the texts of the errors that the stand-in raises.

Numbers and texts: sys.messages, as Microsoft documents them ("Database Engine events and
errors").  A text has %s places; `SqlError.of(208, "dbo.t")` fills them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Message:
    """An informational message: PRINT (number 0, severity 0), RAISERROR of severity <= 10."""

    text: str
    number: int = 0
    severity: int = 0
    state: int = 1
    procedure: str = ""
    line: int = 1


class SqlError(Exception):
    """An error of SQL Server: number, severity, state, procedure and line.

    `procedure` and `line` are filled in by the interpreter where they are not known at the
    place that raises.  Severity 11 to 19 can be caught by TRY ... CATCH; from 20 on the
    connection ends.

    Some statements tell more than one thing: `before` are errors that a client gets ahead of
    this one (CATCH sees the last error alone), `after` messages that follow it.
    """

    before: tuple[SqlError, ...] = ()
    after: tuple[Message, ...] = ()

    def __init__(
        self,
        number: int,
        message: str,
        severity: int = 16,
        state: int = 1,
        procedure: str = "",
        line: int = 0,
    ) -> None:
        super().__init__(number, message)
        self.number = number
        self.message = message
        self.severity = severity
        self.state = state
        self.procedure = procedure
        self.line = line
        self.located = False  # whether the interpreter has said where: line and procedure

    @classmethod
    def of(cls, number: int, *values: object, state: int = 1) -> SqlError:
        """Make the error of that number out of the table below."""
        severity, text = MESSAGES[number]
        return cls(number, text % values if values else text, severity, state)

    def all(self) -> list[SqlError]:
        """The errors that a client gets for this one, in order."""
        for error in self.before:
            error.procedure, error.line = self.procedure, self.line
        return [*self.before, self]

    def __str__(self) -> str:
        return f"Msg {self.number}, Level {self.severity}, State {self.state}: {self.message}"


def unsupported(what: str) -> SqlError:
    """The error for T-SQL that a real server knows and the stand-in does not (number 40517).

    Azure SQL Database uses 40517 for "keyword or statement option is not supported in this
    version of SQL Server"; a real SQL Server never raises it, so it cannot be mistaken.
    """
    return SqlError(40517, f"The embedded stand-in for SQL Server does not support {what}.")


# number: (severity, text)
MESSAGES: dict[int, tuple[int, str]] = {
    102: (15, "Incorrect syntax near '%s'."),
    105: (15, "Unclosed quotation mark after the character string '%s'."),
    113: (15, "Missing end comment mark '*/'."),
    134: (15, "The variable name '%s' has already been declared. Variable names must be unique "
              "within a query batch or stored procedure."),
    137: (15, 'Must declare the scalar variable "%s".'),
    156: (15, "Incorrect syntax near the keyword '%s'."),
    201: (16, "Procedure or function '%s' expects parameter '%s', which was not supplied."),
    207: (16, "Invalid column name '%s'."),
    208: (16, "Invalid object name '%s'."),
    213: (16, "Column name or number of supplied values does not match table definition."),
    217: (16, "Maximum stored procedure, function, trigger, or view nesting level exceeded "
              "(limit 32)."),
    220: (16, "Arithmetic overflow error for data type %s, value = %s."),
    229: (14, "The %s permission was denied on the object '%s', database '%s', schema '%s'."),
    245: (16, "Conversion failed when converting the %s value '%s' to data type %s."),
    262: (14, "%s permission denied in database '%s'."),
    266: (16, "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT "
              "statements. Previous count = %s, current count = %s."),
    512: (16, "Subquery returned more than 1 value. This is not permitted when the subquery "
              "follows =, !=, <, <= , >, >= or when the subquery is used as an expression."),
    515: (16, "Cannot insert the value NULL into column '%s', table '%s'; column does not allow "
              "nulls. %s fails."),
    911: (16, "Database '%s' does not exist. Make sure that the name is entered correctly."),
    916: (14, 'The server principal "%s" is not able to access the database "%s" under the '
              "current security context."),
    1033: (15, "The ORDER BY clause is invalid in views, inline functions, derived tables, "
               "subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also "
               "specified."),
    1205: (13, "Transaction (Process ID %s) was deadlocked on lock resources with another process "
               "and has been chosen as the deadlock victim. Rerun the transaction."),
    1222: (16, "Lock request time out period exceeded."),
    2601: (14, "Cannot insert duplicate key row in object '%s' with unique index '%s'."),
    2627: (14, "Violation of %s constraint '%s'. Cannot insert duplicate key in object '%s'."),
    2628: (16, "String or binary data would be truncated in table '%s', column '%s'. "
               "Truncated value: '%s'."),
    2714: (16, "There is already an object named '%s' in the database."),
    2759: (16, "CREATE SCHEMA failed due to previous errors."),
    2760: (16, 'The specified schema name "%s" either does not exist or you do not have '
               "permission to use it."),
    2812: (16, "Could not find stored procedure '%s'."),
    3609: (16, "The transaction ended in the trigger. The batch has been aborted."),
    3701: (11, "Cannot drop the %s '%s', because it does not exist or you do not have permission."),
    3902: (16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3903: (16, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3930: (16, "The current transaction cannot be committed and cannot support operations that "
               "write to the log file. Roll back the transaction."),
    3960: (16, "Snapshot isolation transaction aborted due to update conflict. You cannot use "
               "snapshot isolation to access table '%s' directly or indirectly in database '%s' "
               "to update, delete, or insert the row that has been modified or deleted by another "
               "transaction. Retry the transaction or change the isolation level for the "
               "update/delete statement."),
    4060: (11, 'Cannot open database "%s" requested by the login. The login failed.'),
    4902: (16, "Cannot find the object \"%s\" because it does not exist or you do not have "
               "permissions."),
    5701: (10, "Changed database context to '%s'."),
    5703: (10, "Changed language setting to us_english."),
    6104: (16, "Cannot use KILL to kill your own process."),
    8114: (16, "Error converting data type %s to %s."),
    8115: (16, "Arithmetic overflow error converting %s to data type %s."),
    8134: (16, "Divide by zero error encountered."),
    8144: (16, "Procedure or function %s has too many arguments specified."),
    8145: (16, "%s is not a parameter for procedure %s."),
    8146: (16, "Procedure %s has no parameters and arguments were supplied."),
    8152: (16, "String or binary data would be truncated."),
    8162: (16, 'The formal parameter "%s" was not declared as an OUTPUT parameter, but the actual '
               "parameter passed in requested output."),
    8155: (16, "No column name was specified for column %s of '%s'."),
    8156: (16, "The column '%s' was specified multiple times for '%s'."),
    8164: (16, "An INSERT EXEC statement cannot be nested."),
    8169: (16, "Conversion failed when converting from a character string to uniqueidentifier."),
    8178: (16, "The parameterized query '%s' expects the parameter '%s', which was not supplied."),
    8179: (16, "Could not find prepared statement with handle %s."),
    8180: (16, "Statement(s) could not be prepared."),
    10748: (16, "The THROW statement outside a CATCH block needs parameters."),
    11535: (16, "EXECUTE statement failed because its WITH RESULT SETS clause specified %s result "
                "set(s), and the statement tried to send more result sets than this."),
    11536: (16, "EXECUTE statement failed because its WITH RESULT SETS clause specified %s result "
                "set(s), but the statement only sent %s result set(s) at run time."),
    11537: (16, "EXECUTE statement failed because its WITH RESULT SETS clause specified %s "
                "column(s) for result set number %s, but the statement sent %s column(s) at run "
                "time."),
    11538: (16, "EXECUTE statement failed because its WITH RESULT SETS clause specified type '%s' "
                "for column #%s in result set #%s, and the corresponding type sent at run time was "
                "'%s'; there is no conversion between the two types."),
    11553: (16, "EXECUTE statement failed because its WITH RESULT SETS clause specified a "
                "non-nullable type for column #%s in result set #%s, and the corresponding value "
                "sent at run time was null."),
    14243: (10, "Job '%s' started successfully."),
    14254: (10, "Job '%s' stopped successfully."),
    14234: (16, "The specified '%s' is invalid (valid values are returned by %s)."),
    14256: (16, "Cannot start the job \"%s\" (ID %s) because it does not have any job server or "
                "servers defined. Associate the job with a job server by calling "
                "sp_add_jobserver."),
    14261: (16, "The specified %s ('%s') already exists."),
    14262: (16, "The specified %s ('%s') does not exist."),
    14266: (16, "The specified '%s' is invalid (valid values are: %s)."),
    14269: (16, "Job '%s' is already targeted at server '%s'."),
    14294: (16, "Supply either %s or %s to identify the job."),
    14515: (16, "Only a member of the sysadmin server role can add a job for a different owner "
                "with @owner_login_name."),
    15007: (16, "'%s' is not a valid login or you do not have permission."),
    15023: (16, "User, group, or role '%s' already exists in the current database."),
    15025: (16, "The server principal '%s' already exists."),
    15151: (16, "Cannot find the %s '%s', because it does not exist or you do not have "
                "permission."),
    15247: (16, "User does not have permission to perform this action."),
    18456: (14, "Login failed for user '%s'."),
    40517: (16, "The embedded stand-in for SQL Server does not support %s."),
    39001: (16, "Only SELECT statement is supported for input data query to "
                "'sp_execute_external_script' stored procedure."),
    39004: (16, "A '%s' script error occurred during execution of 'sp_execute_external_script' "
                "with HRESULT 0x%s."),
    39007: (16, "The specified language '%s' does not exist or you do not have permission."),
    39011: (16, "SQL Server was unable to communicate with the LaunchPad service for request id: "
                "%s. Please verify the configuration of the service."),
    39012: (16, "Unable to communicate with the runtime for '%s' script for request id: %s. Please "
                "check the requirements of '%s' runtime."),
    39016: (16, "The parameterized external script expects the parameter '%s', which was not "
                "supplied."),
    39017: (16, "Input data query returns column #%s of type '%s' which is not supported by the "
                "runtime for '%s' script. Unsupported types are binary, varbinary, timestamp, "
                "datetime2, datetimeoffset, time, text, ntext, image, hierarchyid, xml, "
                "sql_variant and user-defined type."),
    39018: (16, "Parameter '%s' uses a data type that is not supported by the runtime for '%s' "
                "script. Unsupported types are timestamp, datetime2, datetimeoffset, time, text, "
                "ntext, image, hierarchyid, xml, sql_variant and user-defined type."),
    39019: (16, "An external script error occurred: \n%s"),
    39020: (16, "Feature 'Advanced Analytics Extensions' is not installed. Please consult Books "
                "Online for more information on this feature."),
    39021: (16, "Unable to launch runtime for '%s' script for request id: %s. Please check the "
                "configuration of the '%s' runtime."),
    39023: (16, "'sp_execute_external_script' is disabled on this instance of SQL Server. Use "
                "sp_configure 'external scripts enabled' to enable it."),
    39025: (16, "External script execution failed as extensibility environment is not ready yet. "
                "Retry the operation when the server is fully started."),
}  # fmt: skip
