"""Programs of the machine that single tests need. Where one is missing, the test is skipped and says how to get it."""

import os
import shutil

import pytest


def program(name: str, package: str | None = None) -> str:
    """The path of a program; where there is none, the test is skipped. ``package``: Debian's, if named otherwise."""
    # Where Debian keeps servers, which is not on the path of an ordinary user.
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"there is no {name}: apt-get install {package or name}")
    return found
