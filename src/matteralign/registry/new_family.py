"""Write the modules of a new family into a checkout: wrapper, untrained network, test."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.files import write_text

PACKAGE = Path(__file__).resolve().parents[1]
_SKELETONS = Path(__file__).parent / "skeletons"

WIDTH = 32
PARAMETERS = 256 * WIDTH + WIDTH * WIDTH + WIDTH
"""Of the skeleton's network."""

READS = {
    "3d": ("positions", "s.numbers", "atoms"),
    "smiles": ("smiles", 'np.frombuffer((s.smiles or "").encode(), np.uint8)', "text"),
    "selfies": ("selfies", 'np.frombuffer((s.selfies or "").encode(), np.uint8)', "text"),
    "sequence": ("sequence", 'np.frombuffer((s.sequence or "").encode(), np.uint8)', "proteins"),
}
"""By modality: what a card says the model needs, what the skeleton reads of it, its folder."""


def write_family(family: str, modality: str, key: str, package: Path = PACKAGE) -> list[Path]:
    """Write and register the modules of a family; return what was written, new files first.

    The skeleton is a small network that runs: it keeps the contract before anything of it is
    replaced, so what fails afterwards was broken by the replacement.

    Raises
    ------
    UserError
        If the name is not one for a family, or is taken, or this is no checkout.
    """
    if not re.fullmatch(r"[a-z][a-z0-9\-]*", family):
        raise UserError(f"family {family!r}: lower-case letters, digits and - only")
    module = family.replace("-", "_")
    if keyword.iskeyword(module):
        raise UserError(f"family {family!r}: is a word of Python, so no module can have its name")
    tests = package.parents[1] / "tests" / "models"
    if not tests.is_dir():
        raise UserError(
            f"{package}: not a checkout of the project; a new family is a module of it, so get "
            "the sources and run this there"
        )
    folder = READS[modality][2]
    places = {
        "wrapper": package / "models" / "families" / folder / f"{module}.py",
        "architecture": package / "models" / "architectures" / f"{module}.py",
        "test": tests / f"test_{module}.py",
    }
    for path in places.values():
        if path.exists():
            raise UserError(f"{path}: is there already; choose another name for the family")
    wrapper_class = "".join(part.capitalize() for part in module.split("_")) + "Wrapper"
    words = {
        "family": family,
        "module": module,
        "folder": folder,
        "wrapper_class": wrapper_class,
        "tokens": READS[modality][1],
        "key": key,
    }
    for name, path in places.items():
        text = (_SKELETONS / f"{name}.py.txt").read_text(encoding="utf-8")
        write_text(path, Template(text).substitute(words))
    models = "matteralign.models"
    home = f"{models}.families.{folder}.{module}"
    catalogue = package / "models" / "base" / "catalogue.py"
    builders = package / "models" / "architectures" / "__init__.py"
    _register(catalogue, "_CLASSES", f'    "{module}": "{home}:{wrapper_class}",')
    _register(catalogue, "WRAPPER_VERSIONS", f'    "{module}": 1,')
    _register(builders, "_BUILDERS", f'    "{module}": "{models}.architectures.{module}",')
    return [*places.values(), catalogue, builders]


def _register(path: Path, name: str, entry: str) -> None:
    """Add an entry to a dict that stands in a module one entry a line, sorted."""
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [i for i, line in enumerate(lines) if re.match(rf"{name}\b.*= {{$", line)]
    if len(starts) != 1:
        raise MatterAlignError(f"{path}: no dict {name} to register in; add by hand: {entry}")
    first = starts[0] + 1
    last = lines.index("}", first)
    lines[first:last] = sorted([*lines[first:last], entry])
    write_text(path, "\n".join(lines) + "\n")
