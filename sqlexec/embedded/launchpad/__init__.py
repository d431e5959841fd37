"""External scripts: real Python processes, each used for one script and then gone.

sp_execute_external_script -> Launchpad.run(ScriptRequest) -> satellite process
                           <- ScriptResult (OUTPUT values, OutputDataSet, stdout, stderr)
"""

from sqlexec.embedded.launchpad.launchpad import Launchpad
from sqlexec.embedded.launchpad.request import (
    Quirks,
    ScriptParameter,
    ScriptRequest,
    ScriptResult,
)

__all__ = ["Launchpad", "Quirks", "ScriptParameter", "ScriptRequest", "ScriptResult"]
