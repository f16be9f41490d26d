# SPDX-License-Identifier: Apache-2.0
import sys

import suite

sys.exit(suite.run_kind("sync"))
