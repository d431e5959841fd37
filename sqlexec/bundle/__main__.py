"""`python -m sqlexec.bundle [--check]`: write sql/install.sql anew, or say whether it is stale."""

import sys

from sqlexec.bundle.render import main

sys.exit(main())
