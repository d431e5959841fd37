"""`python -m sqlexec`: the same as the command `sqlexec`."""

import sys

from sqlexec.cli import main

sys.exit(main())
