"""Records of the last check of each model, in the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from matteralign.core.files import read_record, write_json
from matteralign.core.hashing import sha256_json
from matteralign.core.paths import cache_root
from matteralign.models.base.catalogue import wrapper_version
from matteralign.models.contract.contract import CONTRACT_VERSION
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.registry.stand_in import stand_in_identity

State = Literal["pass", "fail", "outdated", "never"]


@dataclass(frozen=True)
class Checked:
    """What a check of one model found.

    Attributes
    ----------
    model
        Key of the card.
    identity
        Hash of what the findings hold for; see `check_identity`.
    card_sha256
        The card's own digest.
    weights
        ``trained``, ``untrained`` or ``none``; what the model ran on.
    date
        Day and time in UTC, ISO 8601.
    seconds
        Loading and checking.
    checks
        The clauses, each with check, status, measured, tolerance, detail.
    parameters, device, packages
        Of the loaded network; None and empty when it could not be loaded.
    """

    model: str
    identity: str
    card_sha256: str
    weights: str
    date: str
    seconds: float
    checks: Sequence[Mapping[str, Any]]
    parameters: int | None = None
    device: str | None = None
    packages: Mapping[str, str] | None = None

    @property
    def passed(self) -> bool:
        """Whether no clause failed."""
        return all(check["status"] != "fail" for check in self.checks)


def check_identity(card: ModelCard, weights: str) -> str:
    """Return the hash of all that decides a check: card, claims, code, environment, weights."""
    return sha256_json(
        {
            "card": card.digest(),
            "claims": card.claims.model_dump(),
            "parameters": card.parameters.measured,
            "stand_in": None if card.checkpoint.stand_in is None else stand_in_identity(card),
            "weights": weights,
            "wrapper_version": wrapper_version(card.wrapper),
            "contract": CONTRACT_VERSION,
            "environment": get_environment(card.environment).lock_digest(),
        }
    )


def write_check(checked: Checked) -> None:
    """Keep a check; an earlier one of the same model is replaced."""
    write_json(_path(checked.model), asdict(checked))


def read_check(card: ModelCard) -> Checked | None:
    """Return the last check of a model, or None when there was none.

    Raises
    ------
    IntegrityError
        If the record is damaged.
    """
    path = _path(card.key)
    if not path.exists():
        return None
    names = [field.name for field in fields(Checked)]
    found = read_record(path, names)
    return Checked(**{name: found[name] for name in names})


def check_state(card: ModelCard, checked: Checked | None) -> State:
    """Return the state of the last check; outdated if card, code or packages changed."""
    if checked is None:
        return "never"
    if checked.identity != check_identity(card, checked.weights):
        return "outdated"
    return "pass" if checked.passed else "fail"


def _path(key: str) -> Path:
    return cache_root() / "checks" / f"{key}.json"
