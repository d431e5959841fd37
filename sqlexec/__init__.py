"""Run a Python function inside SQL Server, next to the data, in parallel processes.

>>> from sqlexec import RxInSqlServer, RxSqlServerData, rx_exec

The names are loaded when they are first used, so that `import sqlexec` itself costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from sqlexec.version import __version__ as __version__

_NAMES = {
    "CallbackFailedWarning": "sqlexec.rx.delivery",
    "Diagnosis": "sqlexec.diagnosis.doctor",
    "ExecutorBroken": "sqlexec.rx.executor",
    "JobInterruptedWarning": "sqlexec.contexts.client_workers",
    "NotConvergedWarning": "sqlexec.rx.pema",
    "PemaBase": "sqlexec.runner.pema",
    "Report": "sqlexec.report",
    "RunFailedWarning": "sqlexec.rx.collect",
    "Runtime": "sqlexec.rx.runtime",
    "RxComputeContext": "sqlexec.contexts.base",
    "RxElemArg": "sqlexec.plan",
    "RxExecByResults": "sqlexec.rx.exec_by_results",
    "RxForeachDoPar": "sqlexec.contexts.dopar",
    "RxInSqlServer": "sqlexec.contexts.sql_server",
    "RxLocalParallel": "sqlexec.contexts.local_parallel",
    "RxLocalSeq": "sqlexec.contexts.local",
    "RxMatchCall": "sqlexec.rx.distribute",
    "RxRemoteComputeContext": "sqlexec.contexts.base",
    "RxRemoteJob": "sqlexec.rx.job",
    "RxRemoteJobStatus": "sqlexec.rx.job_status",
    "RxSqlServerData": "sqlexec.data.sources",
    "SqlServerExecutor": "sqlexec.rx.executor",
    "StoredScript": "sqlexec.procedures.scripts",
    "call_procedure": "sqlexec.procedures.call",
    "create_procedure": "sqlexec.procedures.procedures",
    "doctor": "sqlexec.diagnosis.doctor",
    "drop_procedure": "sqlexec.procedures.procedures",
    "drop_script": "sqlexec.procedures.scripts",
    "grant_script": "sqlexec.procedures.scripts",
    "list_scripts": "sqlexec.procedures.scripts",
    "load_script": "sqlexec.procedures.scripts",
    "pema_compute": "sqlexec.rx.pema",
    "register_joblib": "sqlexec.rx.joblib",
    "run_script": "sqlexec.procedures.scripts",
    "runtime": "sqlexec.rx.runtime",
    "rx_cancel_job": "sqlexec.rx.jobs",
    "rx_cleanup_jobs": "sqlexec.rx.jobs",
    "rx_data_step": "sqlexec.rx.data_step",
    "rx_distribute_job": "sqlexec.rx.distribute",
    "rx_exec": "sqlexec.rx.execute",
    "rx_exec_by": "sqlexec.rx.exec_by",
    "rx_exec_iter": "sqlexec.rx.iterate",
    "rx_get_compute_context": "sqlexec.contexts.active",
    "rx_get_info": "sqlexec.rx.data_step",
    "rx_get_job_info": "sqlexec.rx.jobs",
    "rx_get_job_output": "sqlexec.rx.jobs",
    "rx_get_job_results": "sqlexec.rx.jobs",
    "rx_get_job_status": "sqlexec.rx.jobs",
    "rx_get_jobs": "sqlexec.rx.jobs",
    "rx_get_partitions": "sqlexec.rx.exec_by",
    "rx_get_var_info": "sqlexec.rx.data_step",
    "rx_get_var_names": "sqlexec.rx.data_step",
    "rx_import": "sqlexec.rx.data_step",
    "rx_is_distributed_context": "sqlexec.rx.distribute",
    "rx_match_call": "sqlexec.rx.distribute",
    "rx_set_compute_context": "sqlexec.contexts.active",
    "rx_wait_for_job": "sqlexec.rx.jobs",
    "store_script": "sqlexec.procedures.scripts",
}

if TYPE_CHECKING:
    from sqlexec.contexts.active import rx_get_compute_context, rx_set_compute_context
    from sqlexec.contexts.base import RxComputeContext, RxRemoteComputeContext
    from sqlexec.contexts.client_workers import JobInterruptedWarning
    from sqlexec.contexts.dopar import RxForeachDoPar
    from sqlexec.contexts.local import RxLocalSeq
    from sqlexec.contexts.local_parallel import RxLocalParallel
    from sqlexec.contexts.sql_server import RxInSqlServer
    from sqlexec.data.sources import RxSqlServerData
    from sqlexec.diagnosis.doctor import Diagnosis, doctor
    from sqlexec.plan import RxElemArg
    from sqlexec.procedures.call import call_procedure
    from sqlexec.procedures.procedures import create_procedure, drop_procedure
    from sqlexec.procedures.scripts import (
        StoredScript,
        drop_script,
        grant_script,
        list_scripts,
        load_script,
        run_script,
        store_script,
    )
    from sqlexec.report import Report
    from sqlexec.runner.pema import PemaBase
    from sqlexec.rx.collect import RunFailedWarning
    from sqlexec.rx.data_step import (
        rx_data_step,
        rx_get_info,
        rx_get_var_info,
        rx_get_var_names,
        rx_import,
    )
    from sqlexec.rx.delivery import CallbackFailedWarning
    from sqlexec.rx.distribute import (
        RxMatchCall,
        rx_distribute_job,
        rx_is_distributed_context,
        rx_match_call,
    )
    from sqlexec.rx.exec_by import rx_exec_by, rx_get_partitions
    from sqlexec.rx.exec_by_results import RxExecByResults as RxExecByResults
    from sqlexec.rx.execute import rx_exec
    from sqlexec.rx.executor import ExecutorBroken, SqlServerExecutor
    from sqlexec.rx.iterate import rx_exec_iter
    from sqlexec.rx.job import RxRemoteJob
    from sqlexec.rx.job_status import RxRemoteJobStatus
    from sqlexec.rx.joblib import register_joblib
    from sqlexec.rx.jobs import (
        rx_cancel_job,
        rx_cleanup_jobs,
        rx_get_job_info,
        rx_get_job_output,
        rx_get_job_results,
        rx_get_job_status,
        rx_get_jobs,
        rx_wait_for_job,
    )
    from sqlexec.rx.pema import NotConvergedWarning, pema_compute
    from sqlexec.rx.runtime import Runtime, runtime

__all__ = [  # without RxExecByResults: `import *` must not need pandas
    "CallbackFailedWarning",
    "Diagnosis",
    "ExecutorBroken",
    "JobInterruptedWarning",
    "NotConvergedWarning",
    "PemaBase",
    "Report",
    "RunFailedWarning",
    "Runtime",
    "RxComputeContext",
    "RxElemArg",
    "RxForeachDoPar",
    "RxInSqlServer",
    "RxLocalParallel",
    "RxLocalSeq",
    "RxMatchCall",
    "RxRemoteComputeContext",
    "RxRemoteJob",
    "RxRemoteJobStatus",
    "RxSqlServerData",
    "SqlServerExecutor",
    "StoredScript",
    "call_procedure",
    "create_procedure",
    "doctor",
    "drop_procedure",
    "drop_script",
    "grant_script",
    "list_scripts",
    "load_script",
    "pema_compute",
    "register_joblib",
    "run_script",
    "runtime",
    "rx_cancel_job",
    "rx_cleanup_jobs",
    "rx_data_step",
    "rx_distribute_job",
    "rx_exec",
    "rx_exec_by",
    "rx_exec_iter",
    "rx_get_compute_context",
    "rx_get_info",
    "rx_get_job_info",
    "rx_get_job_output",
    "rx_get_job_results",
    "rx_get_job_status",
    "rx_get_jobs",
    "rx_get_partitions",
    "rx_get_var_info",
    "rx_get_var_names",
    "rx_import",
    "rx_is_distributed_context",
    "rx_match_call",
    "rx_set_compute_context",
    "rx_wait_for_job",
    "store_script",
]


def __getattr__(name: str) -> object:
    if name in _NAMES:
        value: object = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sqlexec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
