"""Ostiary, the doorkeeper for APIs: proves who calls, decides whether they may."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("ostiary")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
