"""The installed package's version."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("voxclone")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+source"
