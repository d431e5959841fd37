"""The example of rx_exec's documentation (SQL Server 2017 RC1), as it stands there.

Only the import of the client's names and the connection string differ.
"""
# fmt: off

import os

from sqlexec import RxInSqlServer, RxSqlServerData, rx_exec

formula = "ArrDelay ~ CRSDepTime + DayOfWeek"
connection_string=os.environ["SQLEXEC_CONNECTION"]
query="select top 100 [ArrDelay],[CRSDepTime],[DayOfWeek] FROM airlinedemosmall"

ds = RxSqlServerData(sql_query = query, connection_string = connection_string)

cc = RxInSqlServer(
    connection_string = connection_string,
    num_tasks = 1,
    auto_cleanup = False,
    console_output = True,
    execution_timeout_seconds = 0,
    wait = True
    )

def remote_call(dataset):
    from revoscalepy import rx_data_step
    df = rx_data_step(dataset)
    return len(df)

results = rx_exec(function = remote_call, args={'dataset': ds}, compute_context = cc)
print(results)
