"""Which class wraps which kind of model: read without importing any model package."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown

if TYPE_CHECKING:
    from matteralign.models.base import Wrapper

_CLASSES = {
    "antiberty": "matteralign.models.antiberty:AntibertyWrapper",
    "chat": "matteralign.models.chat:ChatWrapper",
    "chgnet": "matteralign.models.chgnet:ChgnetWrapper",
    "composition": "matteralign.models.composition:CompositionWrapper",
    "dpa": "matteralign.models.dpa:DpaWrapper",
    "esm2": "matteralign.models.esm2:Esm2Wrapper",
    "esm3": "matteralign.models.esm3:Esm3Wrapper",
    "esm_if1": "matteralign.models.esm_if1:EsmIf1Wrapper",
    "esmc": "matteralign.models.esmc:EsmcWrapper",
    "fairchem1": "matteralign.models.fairchem1:Fairchem1Wrapper",
    "fingerprint": "matteralign.models.fingerprint:FingerprintWrapper",
    "geom2vec": "matteralign.models.geom2vec:Geom2VecWrapper",
    "huggingface": "matteralign.models.huggingface:HuggingFaceWrapper",
    "language": "matteralign.models.language:LanguageWrapper",
    "mace": "matteralign.models.mace:MaceWrapper",
    "mattersim": "matteralign.models.mattersim:MattersimWrapper",
    "minimol": "matteralign.models.minimol:MinimolWrapper",
    "orb": "matteralign.models.orb:OrbWrapper",
    "pet": "matteralign.models.pet:PetWrapper",
    "prostt5": "matteralign.models.prostt5:Prostt5Wrapper",
    "protein_mpnn": "matteralign.models.protein_mpnn:ProteinMpnnWrapper",
    "random": "matteralign.models.baseline:RandomWrapper",
    "sevennet": "matteralign.models.sevennet:SevennetWrapper",
    "soap": "matteralign.models.soap:SoapWrapper",
    "uma": "matteralign.models.uma:UmaWrapper",
    "unirep": "matteralign.models.unirep:UnirepWrapper",
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
