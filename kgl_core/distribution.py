"""The name that kgl is installed by. Its import packages and its command have other names."""

from typing import Final

DISTRIBUTION: Final = "kgl-backend"
"""The name for pip and for importlib.metadata. On the public index, ``kgl`` is somebody else's package."""
