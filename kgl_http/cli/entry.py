"""The start of the ``kgl`` command. Ctrl-C ends it without a traceback, even while the rest is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command in the arguments. Ends with SystemExit."""
    try:
        from kgl_http.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell tells of SIGINT
