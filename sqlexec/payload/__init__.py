"""Tasks to bytes and bytes to outcomes: the client's half of the way to the runner.

Packer(function, shared) --chunk(tasks)--> payload ---> server: runner
                          Reply <--unpack-- result <---
"""

from sqlexec.payload.packing import Packer
from sqlexec.payload.unpacking import Reply, SendOtherwise, unpack
from sqlexec.runner.main import PROTOCOL

__all__ = ["PROTOCOL", "Packer", "Reply", "SendOtherwise", "unpack"]
