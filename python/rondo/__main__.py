# SPDX-License-Identifier: Apache-2.0
"""The command `rondo`, also started as `python -m rondo`."""

import os
import signal
import sys

from rondo import _rondo


def main():
    # Ctrl-C ends a process that does not serve yet, without a traceback; the server has its own handler.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    name = os.path.basename(sys.argv[0])
    program = "python -m rondo" if name == "__main__.py" else name
    return _rondo.main([program, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
