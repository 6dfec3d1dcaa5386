"""The API reference as pages, from the docstrings: `python docs/api.py build/api` (extra "docs")."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import warnings
from pathlib import Path

import pdoc

import voxclone

PACKAGES = (
    "voxclone.audio",
    "voxclone.text",
    "voxclone.models",
    "voxclone.evaluation",
    "voxclone.hub",
    "voxclone.safety",
)


def main() -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to")
    args = parser.parse_args()
    for name in voxclone.__all__:
        setattr(voxclone, name, getattr(voxclone, name))  # they are imported when asked for, which pdoc does not do
    for part in voxclone.VoxClone.__mro__[1:-1]:  # its pages have all that it is put together from
        for name, member in vars(part).items():
            if not name.startswith("_"):
                setattr(voxclone.VoxClone, name, member)
    warnings.simplefilter("ignore", UserWarning)  # of annotations that stay as they are written
    pdoc.render.configure(docformat="google", show_source=False)
    pdoc.pdoc("voxclone", *modules(), output_directory=args.folder)


def modules() -> list[str]:
    """The modules below the public names that inference imports."""
    found = []
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        found += [package, *(f"{package}.{module.name}" for module in pkgutil.iter_modules(path))]
    return found


if __name__ == "__main__":
    main()
