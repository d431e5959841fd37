"""The logger `sqlexec`: what the client does by itself (retries, payloads sent otherwise).

It has no handlers of its own, so that nothing is written unless the application asks for it:
`logging.basicConfig(level=logging.INFO)`.  Lines of runs go to `sqlexec.console`, and there only
with `console_output="log"`.
"""

from __future__ import annotations

import logging

logger = logging.getLogger("sqlexec")
logger.addHandler(logging.NullHandler())
