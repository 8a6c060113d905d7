"""Which class wraps which kind of model: read without importing any model package."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown

if TYPE_CHECKING:
    from matteralign.models.base.wrapper import Wrapper

_CLASSES = {
    "antiberty": "matteralign.models.families.proteins.antiberty:AntibertyWrapper",
    "chat": "matteralign.models.families.text.chat:ChatWrapper",
    "chgnet": "matteralign.models.families.atoms.chgnet:ChgnetWrapper",
    "composition": "matteralign.models.families.baselines.composition:CompositionWrapper",
    "dpa": "matteralign.models.families.atoms.dpa:DpaWrapper",
    "esm2": "matteralign.models.families.proteins.esm2:Esm2Wrapper",
    "esm3": "matteralign.models.families.proteins.esm3:Esm3Wrapper",
    "esm_if1": "matteralign.models.families.proteins.esm_if1:EsmIf1Wrapper",
    "esmc": "matteralign.models.families.proteins.esmc:EsmcWrapper",
    "fairchem1": "matteralign.models.families.atoms.fairchem1:Fairchem1Wrapper",
    "fingerprint": "matteralign.models.families.baselines.fingerprint:FingerprintWrapper",
    "geom2vec": "matteralign.models.families.atoms.geom2vec:Geom2VecWrapper",
    "huggingface": "matteralign.models.families.text.huggingface:HuggingFaceWrapper",
    "language": "matteralign.models.families.text.language:LanguageWrapper",
    "mace": "matteralign.models.families.atoms.mace:MaceWrapper",
    "mattersim": "matteralign.models.families.atoms.mattersim:MattersimWrapper",
    "minimol": "matteralign.models.families.baselines.minimol:MinimolWrapper",
    "orb": "matteralign.models.families.atoms.orb:OrbWrapper",
    "pet": "matteralign.models.families.atoms.pet:PetWrapper",
    "prostt5": "matteralign.models.families.proteins.prostt5:Prostt5Wrapper",
    "protein_mpnn": "matteralign.models.families.proteins.protein_mpnn:ProteinMpnnWrapper",
    "random": "matteralign.models.families.baselines.random:RandomWrapper",
    "sevennet": "matteralign.models.families.atoms.sevennet:SevennetWrapper",
    "soap": "matteralign.models.families.baselines.soap:SoapWrapper",
    "uma": "matteralign.models.families.atoms.uma:UmaWrapper",
    "unirep": "matteralign.models.families.proteins.unirep:UnirepWrapper",
}

# Raise a number whenever the same card and structures would give other latents: rows made
# by the old code are then made again.
WRAPPER_VERSIONS: dict[str, int] = {
    "antiberty": 1,
    "chat": 2,
    "chgnet": 4,
    "composition": 1,
    "dpa": 2,
    "esm2": 1,
    "esm3": 2,
    "esm_if1": 2,
    "esmc": 1,
    "fairchem1": 3,
    "fingerprint": 1,
    "geom2vec": 3,
    "huggingface": 1,
    "language": 1,
    "mace": 3,
    "mattersim": 3,
    "minimol": 2,
    "orb": 3,
    "pet": 3,
    "prostt5": 2,
    "protein_mpnn": 2,
    "random": 1,
    "sevennet": 3,
    "soap": 2,
    "uma": 3,
    "unirep": 1,
}


def wrapper_version(name: str) -> int:
    """Return the version of a wrapper's results.

    Raises
    ------
    UserError
        If there is no such wrapper; the message offers the nearest name.
    """
    if name not in WRAPPER_VERSIONS:
        raise UserError(unknown("wrapper", name, WRAPPER_VERSIONS))
    return WRAPPER_VERSIONS[name]


def wrapper_class(name: str) -> type[Wrapper]:
    """Import and return a wrapper class; run this inside the model's environment.

    Raises
    ------
    UserError
        If there is no such wrapper, or a package it needs is missing here.
    """
    wrapper_version(name)
    module, _, attribute = _CLASSES[name].partition(":")
    try:
        found: type[Wrapper] = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UserError(
            f"wrapper {name!r} needs the package {error.name!r}, which is not installed in "
            "this environment; run the model in the environment its card names"
        ) from error
    return found
