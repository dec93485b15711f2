"""Where the ``kgl`` command begins: Ctrl-C ends it without a traceback, also while the rest is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments name; ends with SystemExit."""
    try:
        from kgl_http.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell tells of SIGINT
