# SPDX-License-Identifier: Apache-2.0
"""Every worker class with both backends, four workers each."""
import sys

import suite

SETUPS = [(kind, backend) for kind in ("async", "threads", "sync") for backend in suite.BACKENDS]

sys.exit(suite.run_together([(*setup, 4) for setup in SETUPS]))
