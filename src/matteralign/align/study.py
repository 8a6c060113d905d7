"""A configuration joined with the cards, metrics and datasets it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from matteralign.align.measure import Measure, source_scaling
from matteralign.config.load import get_slice
from matteralign.config.schema import Metrics, Slice, StudyConfig
from matteralign.core.errors import MatterAlignError, UserError
from matteralign.core.hashing import sha256_json
from matteralign.datasets.catalogue import get_dataset
from matteralign.metrics.specs import MetricSpec
from matteralign.models.catalogue import wrapper_version
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.registry.load import get_card, load_cards


@dataclass(frozen=True)
class Study:
    """Everything a stage asks: slices, cards in row order, metric specs.

    Attributes
    ----------
    config
        The validated configuration.
    cards
        Every known model card by key, in the order of indices.
    """

    config: StudyConfig
    cards: Mapping[str, ModelCard]

    @cached_property
    def pair_measures(self) -> tuple[Measure, ...]:
        """The metrics of each pair."""
        return _measures(self.config.metrics, "pair")

    @cached_property
    def model_measures(self) -> tuple[Measure, ...]:
        """The metrics of each model."""
        return _measures(self.config.metrics, "model")

    def slice(self, name: str) -> Slice:
        """Return a slice by name."""
        return get_slice(self.config, name)

    def panel(self, slice_name: str) -> list[ModelCard]:
        """Return the cards of a slice's panel, lowest index first."""
        cards = [get_card(key, self.cards) for key in self.slice(slice_name).panel]
        return sorted(cards, key=lambda card: card.index)

    def row_partners(self, slice_name: str, key: str) -> list[str]:
        """Return the models whose pairs with `key` belong to its row: those of lower index.

        Raises
        ------
        UserError
            If the model is not in the slice's panel.
        """
        keys = [card.key for card in self.panel(slice_name)]
        if key not in keys:
            get_card(key, self.cards)
            raise UserError(f"model {key!r} is not in the panel of slice {slice_name!r}")
        return keys[: keys.index(key)]

    def sample_identity(self, slice_name: str) -> dict[str, Any]:
        """Return what decides the rows of a slice."""
        chosen = self.slice(slice_name)
        dataset = get_dataset(chosen.dataset)
        return {
            "dataset": chosen.dataset,
            "dataset_version": dataset.version,
            "files": {pinned.name: pinned.sha256 for pinned in dataset.files},
            "n": chosen.n,
            "seed": chosen.seed,
        }

    def embed_identity(self, key: str) -> dict[str, Any]:
        """Return what decides a model's latents on a given sample set."""
        card = get_card(key, self.cards)
        return {
            "card": card.digest(),
            "wrapper_version": wrapper_version(card.wrapper),
            "environment": get_environment(card.environment).lock_digest(),
        }

    def summary_identity(self) -> list[dict[str, Any]]:
        """Return what decides the summary of a model beside its latents."""
        return [m.identity() for m in (*self.model_measures, *self.pair_measures)]

    def score_identity(self) -> list[dict[str, Any]]:
        """Return what decides a pair's scores beside its latents."""
        return [m.identity() for m in self.pair_measures]

    def figure_identity(self, slice_name: str) -> str:
        """Return a hash of what only tables, figures and the report depend on."""
        names = [[c.key, c.name, c.family, c.embedding] for c in self.panel(slice_name)]
        return sha256_json([names, self.config.tree.model_dump(mode="json")])


def open_study(config: StudyConfig, base: Path = Path()) -> Study:
    """Join a configuration with what it names and check every name in it.

    Parameters
    ----------
    config
        The validated configuration.
    base
        Folder that further folders of cards are relative to.

    Raises
    ------
    UserError
        If a slice, model, dataset, metric, definition or parameter is not known; one line
        with the nearest match.
    """
    study = Study(config, load_cards(tuple(base / folder for folder in config.cards)))
    for name, chosen in config.slices.items():
        get_dataset(chosen.dataset)
        for key in chosen.panel:
            try:
                card = get_card(key, study.cards)
            except UserError as error:
                raise UserError(f"slice {name!r}: {error}") from error
            get_environment(card.environment)
    _ = study.pair_measures, study.model_measures
    return study


def _measures(metrics: Metrics, kind: Literal["pair", "model"]) -> tuple[Measure, ...]:
    measures: list[Measure] = []
    for position, request in enumerate(getattr(metrics, kind)):
        where = f"metrics.{kind}[{position}]"
        try:
            spec = MetricSpec(request.metric, request.definition, request.params)
        except MatterAlignError as error:
            raise UserError(f"{where}: {error}") from error
        if spec.info.kind != kind:
            raise UserError(f"{where}: {spec.metric} belongs under metrics.{spec.info.kind}")
        scaling = request.normalize or source_scaling(spec) or metrics.normalize
        measure = Measure(spec, scaling)
        if measure in measures:
            raise UserError(f"{where}: {measure} is already listed")
        measures.append(measure)
    return tuple(measures)
