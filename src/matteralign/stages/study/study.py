"""A configuration joined with the cards, metrics and datasets it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from matteralign import __version__
from matteralign.config.analyses import Analysis
from matteralign.config.load import get_analysis, get_slice
from matteralign.config.schema import StudyConfig
from matteralign.config.slices import Selection, Slice
from matteralign.core.errors import UserError
from matteralign.core.hashing import sha256_json
from matteralign.core.suggest import require_known, unknown
from matteralign.core.weights import Weights
from matteralign.datasets.source import Source, check_names, find_source
from matteralign.metrics.base.registry import LISTS_VERSION
from matteralign.models.base.catalogue import wrapper_version
from matteralign.models.prompts import with_study_words
from matteralign.models.prompts.study import piece_files
from matteralign.registry.card import ModelCard
from matteralign.registry.environments import get_environment
from matteralign.registry.load import get_card, load_cards
from matteralign.registry.lock import with_lock
from matteralign.registry.stand_in import stand_in_identity
from matteralign.stages.study.measure import Measure, measures_asked, measures_of
from matteralign.stages.study.panel import Choice, choose, select


@dataclass(frozen=True)
class Study:
    """Everything a stage asks: slices, cards by index, measures.

    Attributes
    ----------
    config
        The validated configuration.
    cards
        Every known model card by key, in the order of indices.
    """

    config: StudyConfig
    cards: Mapping[str, ModelCard]

    def pair_measures(self, slice_name: str) -> tuple[Measure, ...]:
        """Return the metrics of each pair on a slice."""
        return measures_of(self.config.metrics_of(slice_name), "pair")

    @property
    def memory_bytes(self) -> int:
        """Bound on the working memory of the metrics."""
        return int(self.config.metrics.memory_gb * 1024**3)

    def model_measures(self, slice_name: str) -> tuple[Measure, ...]:
        """Return the metrics of each model on a slice."""
        return measures_of(self.config.metrics_of(slice_name), "model")

    def convergence(self, slice_name: str) -> tuple[Measure | None, str | None]:
        """Return the score that is compared with errors of energies, and with which model.

        None for a slice without such a score; None for the model with the smallest error.

        Raises
        ------
        UserError
            If the slice does not compute the score, or the model is not on its panel.
        """
        asked, known = self.slice(slice_name).convergence, self.pair_measures(slice_name)
        if asked is None:
            names = [m.spec.metric for m in known]
            first = next((name for name in ("cknna", "dcor") if name in names), None)
            return (None if first is None else known[names.index(first)]), None
        where, normalize = "convergence.score", self.config.metrics.normalize
        found = measures_asked([asked.score], where, "pair", normalize)
        if len(found) != 1 or found[0] not in known:
            told = unknown("score", str(found[0]), [str(m) for m in known])
            raise UserError(f"{where}: must be one score of the slice's metrics.pair: {told}")
        keys = [card.key for card in self.panel(slice_name)]
        if asked.best is not None and asked.best not in keys:
            raise UserError(f"convergence.best: {unknown('model', asked.best, keys)}")
        return found[0], asked.best

    def slice(self, name: str) -> Slice:
        """Return a slice by name."""
        return get_slice(self.config, name)

    def analysis(self, name: str) -> Analysis:
        """Return an analysis by name."""
        return get_analysis(self.config, name)

    def analysis_models(self, name: str) -> list[str]:
        """Return the keys of the models that an analysis asks for, lowest index first.

        They are on the panel of a slice of it, or named by key.
        """
        asked = self.analysis(name)
        panels = {card.key for slice_name in asked.slices for card in self.panel(slice_name)}
        named = asked.models if isinstance(asked.models, list) else ()
        named = asked.models.keys if isinstance(asked.models, Selection) else named
        return [k for k in select(asked.models, self.cards) if k in panels or k in named]

    def analysis_measures(self, name: str, key: str) -> tuple[Measure, ...]:
        """Return the scores under a key of an analysis.

        Raises
        ------
        UserError
            If one is not known, or a slice of the analysis does not compute it.
        """
        asked = self.analysis(name)
        where = f"analyses.{name}.{key}"
        normalize = self.config.metrics.normalize
        kind, requests = asked.requests()[key]
        found = measures_asked(requests, where, kind, normalize)
        for slice_name in asked.slices:
            own = measures_of(self.config.metrics_of(slice_name), kind)
            known = {str(measure): measure for measure in own}
            for measure in found:
                if measure not in known.values():
                    told = unknown("score", str(measure), known)
                    raise UserError(
                        f"{where}: slice {slice_name!r} has no such score; add it under "
                        f"metrics.{kind}, or choose one that it has ({told})"
                    )
        return found

    def dataset(self, name: str) -> Source:
        """Return a dataset by name: one that comes with the package, or the user's own."""
        return find_source(name, self.config.datasets)

    def panel(self, slice_name: str) -> list[ModelCard]:
        """Return the cards of a slice's panel, lowest index first."""
        return [choice.card for choice in self.choices(slice_name) if choice.chosen]

    def choices(self, slice_name: str) -> list[Choice]:
        """Return for every model whether it is on a slice's panel, and why not."""
        if slice_name not in self._choices:
            chosen = self.slice(slice_name)
            offers = self.dataset(chosen.dataset).offers()
            self._choices[slice_name] = choose(chosen, self.cards, offers)
        return self._choices[slice_name]

    @cached_property
    def _choices(self) -> dict[str, list[Choice]]:
        return {}

    def weights(self, slice_name: str) -> Weights:
        """Return whether untrained networks may stand in for missing weights on a slice."""
        return self.slice(slice_name).weights or self.config.weights

    def dataset_identity(self, name: str) -> dict[str, Any]:
        """Return what decides the fetched files of a dataset, with a listing of local ones."""
        source = self.dataset(name)
        return {"dataset": source.identity(), "listing": source.listing()}

    def weights_identity(self, key: str, weights: Weights) -> dict[str, Any]:
        """Return what decides which weights of a model are fetched, or built in their place."""
        card = get_card(key, self.cards)
        if weights == "trained":
            return {"checkpoint": card.checkpoint.origin()}
        built = None if card.checkpoint.stand_in is None else stand_in_identity(card)
        return {
            "checkpoint": sha256_json(card.checkpoint.model_dump(mode="json")),
            "stand_in": built,
        }

    def environment_identity(self, name: str) -> dict[str, Any]:
        """Return what decides an environment."""
        return {"lock": get_environment(name).lock_digest()}

    def sample_identity(self, slice_name: str) -> dict[str, Any]:
        """Return what decides the rows of a slice."""
        chosen = self.slice(slice_name)
        drawn = chosen.model_dump(mode="json", include={"n", "seed", "filters", "stratify"})
        return self.dataset(chosen.dataset).identity() | drawn

    def embed_identity(self, key: str, slice_name: str) -> dict[str, Any]:
        """Return what decides a model's latents on a given sample set."""
        card = get_card(key, self.cards)
        identity: dict[str, Any] = {
            "card": card.digest(),
            "wrapper_version": wrapper_version(card.wrapper),
            "environment": get_environment(card.environment).lock_digest(),
        }
        if card.checkpoint.files and card.checkpoint.digest() is None:
            # Bytes that no card knows: those of another address are other weights.
            identity["origin"] = card.checkpoint.origin()
        stand_in = card.checkpoint.stand_in
        allowed = self.weights(slice_name) != "trained" or card.checkpoint.weights == "untrained"
        if stand_in is not None and allowed:
            identity["stand_in"] = stand_in_identity(card)
        return identity

    def summary_identity(self, slice_name: str) -> dict[str, Any]:
        """Return what decides the summary of a model on a slice, besides its latents."""
        measures = (*self.model_measures(slice_name), *self.pair_measures(slice_name))
        return {
            "measures": [m.identity() for m in measures],
            "lists": LISTS_VERSION,
            "sweep": self.config.metrics.sweep,
        }

    def score_identity(self, slice_name: str) -> dict[str, Any]:
        """Return what decides a slice's scores, besides the latents."""
        from matteralign.store.replicates import REPLICATES
        from matteralign.store.tidy import SCORES

        return {
            "measures": [m.identity() for m in self.pair_measures(slice_name)],
            "statistics": self.config.metrics.statistics,
            "sweep": self.config.metrics.sweep,
            "columns": SCORES.names,
            "replicates": REPLICATES.names,
            "lists": LISTS_VERSION,
        }

    def analysis_identity(self, name: str) -> dict[str, Any]:
        """Return what decides an analysis, besides the results that it reads."""
        asked = self.analysis(name)
        models = self.analysis_models(name)
        cards = [self.cards[key].model_dump(mode="json") for key in models]
        slices = [self.slice(slice_name).model_dump(mode="json") for slice_name in asked.slices]
        return {
            "asked": asked.model_dump(mode="json"),
            "version": asked.version,
            "models": models,
            "shown": sha256_json([__version__, cards, slices]),
        }

    def figure_identity(self, slice_name: str) -> str:
        """Return a hash of what only tables, figures and the report depend on."""
        cards = [card.model_dump(mode="json") for card in self.panel(slice_name)]
        chosen = self.slice(slice_name).model_dump(mode="json")
        return sha256_json([cards, chosen, self.config.tree.model_dump(mode="json")])


def with_words(cards: Mapping[str, ModelCard], named: Mapping[str, Path]) -> dict[str, ModelCard]:
    """Return the cards with the study's words in their prompts, where the user has the files.

    Parameters
    ----------
    named
        Files by piece, as a configuration names them.

    Raises
    ------
    UserError
        If a named file is not there, or a file does not hold the study's words.
    """
    files = piece_files(named)
    return {key: with_study_words(card, files) for key, card in cards.items()}


def _check_names(card: ModelCard) -> None:
    try:
        wrapper_version(card.wrapper)
        get_environment(card.environment)
    except UserError as error:
        raise UserError(f"card of {card.key}: {error}") from error


def missing_folders(config: StudyConfig, base: Path = Path()) -> list[str]:
    """Return the folders of cards that a configuration names and that are not there."""
    return [folder for folder in config.cards if not (base / folder).is_dir()]


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
        with the nearest match. If a folder of cards does not exist.
    """
    named = {name: base / path for name, path in config.prompts if path is not None}
    for folder in missing_folders(config, base):
        raise UserError(
            f"cards: folder {folder!r} does not exist ({(base / folder).absolute()}); correct the "
            "name, create the folder, or write a card into it with `matteralign new-model`"
        )
    cards = load_cards(tuple(base / folder for folder in config.cards))
    if config.weights_lock is not None:
        cards = with_lock(cards, base / config.weights_lock)
    study = Study(config, with_words(cards, named))
    check_names(config.datasets)
    _ = measures_of(config.metrics, "pair"), measures_of(config.metrics, "model")
    checked: set[str] = set()
    for name, chosen in config.slices.items():
        try:
            study.dataset(chosen.dataset)
            for card in study.panel(name):
                if card.key not in checked:
                    _check_names(card)
                    checked.add(card.key)
            if chosen.metrics is not None:
                _ = study.pair_measures(name), study.model_measures(name)
            if chosen.convergence is not None:
                _ = study.convergence(name)
        except UserError as error:
            raise UserError(f"slice {name!r}: {error}") from error
    for name in config.analyses:
        _check_analysis(study, name)
    return study


def _check_analysis(study: Study, name: str) -> None:
    asked = study.analysis(name)
    for slice_name in asked.slices:
        require_known("slice", slice_name, study.config.slices, f"analyses.{name}.slices: ")
    try:
        models = study.analysis_models(name)
    except UserError as error:
        raise UserError(f"analyses.{name}: {error}") from error
    if not models:
        raise UserError(f"analyses.{name}.models: takes no model of the panels of its slices")
    for key in asked.requests():
        study.analysis_measures(name, key)
