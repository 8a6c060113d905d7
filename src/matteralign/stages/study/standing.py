"""Whether the results in a slice's folder match the current configuration.

Every result records what it was made from. This module compares the record with what the
result would be made from now. It runs no model and reads no array.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from matteralign import __version__
from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_json, read_record
from matteralign.core.hashing import canonical_json, sha256_file, sha256_json
from matteralign.registry.card import ModelCard
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.lists import read_summary
from matteralign.stages.study.study import Study
from matteralign.store.latents import read_sidecar
from matteralign.store.predictions import read_predictions_metadata
from matteralign.store.structures import SampleHeader, read_header
from matteralign.store.tidy import read_made_of

_HEX = re.compile(r"[0-9a-f]{64}")
_RESULTS = re.compile(r'<meta name="matteralign-results" content="([0-9a-f]{64})">')
_SHOWN = 60


@dataclass(frozen=True)
class Result:
    """One result of a slice.

    Attributes
    ----------
    stage, model
        Stage that makes it, and the model; None if it belongs to all models.
    inputs, outputs
        Files it is made from, and files it consists of, as the workflow knows them.
    identity
        What else decides the result, besides its inputs.
    why
        Returns the reason why the existing result is out of date, or None if it is up to date.
        Called only if every output exists.
    """

    stage: str
    model: str | None
    inputs: Sequence[Path]
    outputs: Sequence[Path]
    identity: Mapping[str, Any]
    why: Callable[[], str | None]

    @property
    def there(self) -> bool:
        """Whether every output is there."""
        return all(path.exists() for path in self.outputs)

    def differs(self) -> str | None:
        """Return why the results are out of date; None if they are up to date or all missing."""
        missing = [path for path in self.outputs if not path.exists()]
        if missing:
            return f"{missing[0]} is missing" if len(missing) < len(self.outputs) else None
        try:
            return self.why()
        except IntegrityError as error:
            return str(error)

    @property
    def name(self) -> str:
        """Stage and model, for a reader."""
        return self.stage if self.model is None else f"{self.stage} {self.model}"


@dataclass(frozen=True)
class Standing:
    """The results of a slice on disk, compared with the current configuration."""

    study: Study
    layout: Layout

    def results(self) -> Iterator[Result]:
        """Yield every result of the slice, each after those that it is made from."""
        layout, study, name = self.layout, self.study, self.layout.slice
        yield self.sampled()
        for card in self._panel:
            yield self.embedded(card)
        for card in self._panel:
            yield self._summarize(card.key)
        sidecars = [layout.latent_sidecar(card.key) for card in self._panel]
        lists = [layout.neighbors_sidecar(card.key) for card in self._panel]
        sweep = [layout.sweep] if study.config.metrics.sweep else []
        scores = [*sweep, layout.replicates, layout.scores]
        made_of = [layout.structures, *sidecars, *lists]
        identity = study.score_identity(name)
        yield Result("score", None, made_of, scores, identity, self._of_scores)
        shown = {"shown": study.figure_identity(name)}
        energies = [layout.predictions(card.key) for card in self._panel]
        inputs = [layout.structures, layout.scores, *energies]
        for stage, path, read in (
            ("tables", layout.table_list, _listed),
            ("figures", layout.figure_list, _listed),
            ("report", layout.report, _said_by_page),
        ):
            yield Result(stage, None, inputs, [path], shown, partial(self._of, path, read))
            inputs = [*inputs, path]

    @cached_property
    def _panel(self) -> list[ModelCard]:
        return self.study.panel(self.layout.slice)

    def sampled(self) -> Result:
        """Return the structures of the slice."""
        layout, name = self.layout, self.layout.slice
        dataset = layout.dataset_record(self.study.slice(name).dataset)
        drawn = self.study.sample_identity(name)
        return Result("sample", None, [dataset], [layout.structures], drawn, self.of_sample)

    def embedded(self, card: ModelCard) -> Result:
        """Return the latents and energies of a model."""
        layout, key = self.layout, card.key
        inputs = [
            layout.structures,
            layout.weights_record(key, self.study.weights(layout.slice)),
            layout.environment_record(card.environment),
        ]
        outputs = [layout.latent(key), layout.latent_sidecar(key), layout.predictions(key)]
        identity = self.study.embed_identity(key, layout.slice)
        return Result("embed", key, inputs, outputs, identity, partial(self.of_latent, card))

    def _summarize(self, key: str) -> Result:
        layout = self.layout
        inputs = [layout.structures, layout.latent_sidecar(key)]
        outputs = [layout.neighbors(key), layout.neighbors_sidecar(key)]
        identity = self.study.summary_identity(layout.slice)
        return Result("summarize", key, inputs, outputs, identity, partial(self.of_summary, key))

    @cached_property
    def _header(self) -> SampleHeader | None:
        return read_header(self.layout.structures) if self.layout.structures.exists() else None

    def of_sample(self) -> str | None:
        """Return why the structures are out of date; None if they are up to date.

        Raises
        ------
        IntegrityError
            If the file is damaged.
        """
        header = read_header(self.layout.structures)
        drawn, wanted = header.info.get("drawn"), self.study.sample_identity(self.layout.slice)
        if drawn is not None:
            told = differences(json.loads(drawn), wanted)
            if told:
                return f"was drawn with {told}"
        elif header.info.get("identity") != sha256_json(wanted):
            return "was drawn from another dataset or with other settings"
        record = self.layout.dataset_record(self.study.slice(self.layout.slice).dataset)
        contents = header.info.get("contents")
        if not record.exists():
            return None
        if contents is None:
            later = record.stat().st_mtime_ns > self.layout.structures.stat().st_mtime_ns
            return "does not say of which files it was drawn" if later else None
        return None if contents == contents_digest(read_record(record)) else "the data changed"

    def of_latent(self, card: ModelCard) -> str | None:
        """Return why a model's latents are out of date; None if they are up to date.

        Raises
        ------
        IntegrityError
            If their sidecar is damaged.
        """
        layout = self.layout
        sidecar = read_sidecar(layout.latent(card.key))
        if self._header is not None and sidecar["sample_set_id"] != self._header.sample_set_id:
            return "is of another sample set"
        told = differences(made_by(sidecar), self.study.embed_identity(card.key, layout.slice))
        if told:
            return f"was made with {told}"
        check_weights(card, sidecar, layout.latent(card.key))
        energies = read_predictions_metadata(layout.predictions(card.key))
        wanted = energies_made_by(sidecar)
        told = differences({name: energies.get(name) for name in wanted}, wanted)
        if told:
            return f"has energies of other latents: {told}"
        least = int(sidecar["n_rows"]) * int(sidecar["dim"]) * 4
        if layout.latent(card.key).stat().st_size < least:
            return "the array is cut off"
        record = layout.weights_record(card.key, self.study.weights(layout.slice))
        if record.exists():
            return _other_weights(read_record(record), sidecar["checkpoint"])
        return None

    def of_summary(self, key: str) -> str | None:
        """Return why a model's neighbour lists are out of date; None if up to date.

        Raises
        ------
        IntegrityError
            If they are of other latents or another version, or a sidecar is damaged.
        """
        if not self.layout.latent_sidecar(key).exists():
            return None  # made first, and this after it
        latent = read_sidecar(self.layout.latent(key))
        sidecar = read_summary(self.layout, key, latent_sha256=str(latent["sha256"]))
        if "made_for" not in sidecar:
            return "does not say for which metrics it was made"
        told = differences(sidecar["made_for"], self.study.summary_identity(self.layout.slice))
        return f"was made for {told}" if told else None

    def _of_scores(self) -> str | None:
        if not self._whole():
            return None
        found = read_made_of(self.layout.scores)
        if not found:
            return "does not say what it was made from"
        told = differences(found, scores_made_of(self.study, self.layout))
        return f"was made from {told}" if told else None

    @cached_property
    def shown(self) -> str:
        """Hash of everything that tables, figures and report show: results, names, settings.

        Raises
        ------
        IntegrityError
            If a file of the slice is missing.
        """
        files = self._files()
        for path in files:
            if not path.exists():
                raise IntegrityError(f"{path}: file is missing; run the stage that writes it")
        settings = self.study.figure_identity(self.layout.slice)
        return sha256_json([__version__, settings, *map(sha256_file, files)])

    def _files(self) -> list[Path]:
        """Return what decides the slice or is shown of it, besides its settings."""
        layout = self.layout
        files = [layout.structures, layout.scores, layout.replicates]
        files += [layout.sweep] if self.study.config.metrics.sweep else []
        for card in self._panel:
            files += [layout.latent_sidecar(card.key), layout.neighbors_sidecar(card.key)]
            files.append(layout.predictions(card.key))
        return files

    def _whole(self) -> bool:
        """Return whether nothing is missing; what is, is made, and all that follows after it."""
        return all(path.exists() for path in self._files())

    def _of(self, path: Path, read: Callable[[Path], str | None]) -> str | None:
        if not self._whole():
            return None
        return None if read(path) == self.shown else "is of other results or settings"


def contents_digest(record: Mapping[str, Any]) -> str:
    """Return the hash of the files that a dataset's record names, with their own hashes."""
    return sha256_json(record.get("files"))


def made_by(sidecar: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a model's latents say they were made with, see `Study.embed_identity`."""
    found: Mapping[str, Any] | None = sidecar.get("made_by")
    if found is not None:
        return found
    # Before they said it in one place.
    return {
        "card": sidecar.get("card_sha256"),
        "wrapper_version": sidecar.get("wrapper_version"),
        "environment": sidecar.get("environment", {}).get("lock_sha256"),
    }


def energies_made_by(sidecar: Mapping[str, Any]) -> dict[str, str]:
    """Return what the energies must say that were predicted with a model's latents."""
    return {name: str(sidecar.get(name)) for name in ("model", "sample_set_id", "card_sha256")}


def check_weights(card: ModelCard, sidecar: Mapping[str, Any], where: Path) -> None:
    """Raise an error for latents made with other weights than the card or the lock names.

    Parameters
    ----------
    where
        The latents, for the message.

    Raises
    ------
    IntegrityError
        If a file that made them has another hash.
    """
    used = sidecar.get("checkpoint", {})
    if used.get("weights") != "trained":
        return
    for pinned in card.checkpoint.files:
        wanted, found = pinned.sha256 or pinned.locked, used.get("files", {}).get(pinned.name)
        if None not in (wanted, found) and wanted != found:
            whose = "the card" if pinned.sha256 else "the lock of weights"
            raise IntegrityError(
                f"{where}: made with {pinned.name} of sha256 {found}, {whose} has {wanted}; "
                f"embed {card.key} again"
            )


def scores_made_of(study: Study, layout: Layout) -> dict[str, Any]:
    """Return what a table of scores is made from today: latents, metrics, sample set."""
    sidecars = {c.key: read_sidecar(layout.latent(c.key)) for c in study.panel(layout.slice)}
    return study.score_identity(layout.slice) | {
        "latents": {key: str(sidecar["sha256"]) for key, sidecar in sidecars.items()},
        "sample_set_id": read_header(layout.structures).sample_set_id,
    }


def require_today(study: Study, layout: Layout, keys: Collection[str] | None = None) -> None:
    """Refuse structures or latents that are not those the configuration asks for.

    Parameters
    ----------
    keys
        Models of the panel whose latents count; None: all.

    Raises
    ------
    IntegrityError
        In one line: the file, in what it differs, and what to run.
    """
    standing = Standing(study, layout)
    checks: list[tuple[Path, Callable[[], str | None]]] = [(layout.structures, standing.of_sample)]
    checks += [
        (layout.latent(card.key), partial(standing.of_latent, card))
        for card in study.panel(layout.slice)
        if keys is None or card.key in keys
    ]
    for path, check in checks:
        told = check()
        if told is not None:
            raise IntegrityError(f"{path}: {told}; run `matteralign run {layout.slice}`")


def differences(found: Any, wanted: Any) -> str:
    """Return in words what differs between two mappings of values; nothing differs: "".

    Examples
    --------
    >>> differences({"seed": 0, "n": 10}, {"seed": 1, "n": 10})
    'seed 0, now 1'
    """
    told = []
    wanted = json.loads(canonical_json(wanted))  # as it is read back from a file
    for name, before, after in _differing("", found, wanted):
        if before is _ABSENT:
            untold = after is None or _is_hash(after)
            told.append(f"no {name}" if untold else f"no {name}, now {_short(after)}")
        elif after is _ABSENT:
            told.append(f"{name} {_short(before)}, now none")
        elif _is_hash(before) and _is_hash(after):
            told.append(f"another {name}")
        elif isinstance(before, list) and isinstance(after, list) and not _fits(before, after):
            told.append(f"{name}: {_changed(before, after)}")
        else:
            told.append(f"{name} {_short(before)}, now {_short(after)}")
    return "; ".join(told)


_ABSENT = object()


def _differing(name: str, found: Any, wanted: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in {**found, **wanted}:
            inner = f"{name}.{key}" if name else str(key)
            yield from _differing(inner, found.get(key, _ABSENT), wanted.get(key, _ABSENT))
    elif found != wanted:
        yield name, found, wanted


def _fits(*values: object) -> bool:
    return all(not _short(value).endswith("…") for value in values)


def _changed(before: Sequence[Any], after: Sequence[Any]) -> str:
    """Say which items of two long lists are in one of them only."""
    gone = [_item(item) for item in before if item not in after]
    new = [_item(item) for item in after if item not in before]
    parts = [f"{_first(gone)} no more"] if gone else []
    parts += [f"now {_first(new)}"] if new else []
    return "; ".join(parts) or "another order"


def _item(item: object) -> str:
    if not isinstance(item, Mapping):
        return _short(item)
    named = [name for name in ("metric", "definition", "params") if name in item]
    return " ".join(str(item[name]) for name in (*named, *sorted({*item} - {*named})))


def _first(items: Sequence[str], most: int = 3) -> str:
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _short(value: object) -> str:
    if _is_hash(value):
        return f"{str(value)[:8]}…"
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _other_weights(record: Mapping[str, Any], used: Mapping[str, Any]) -> str | None:
    """Return how the weights that were fetched are not those that latents were made with."""
    if record.get("weights") != used["weights"]:
        return f"was made on weights that are {used['weights']}, now {record.get('weights')}"
    files = {name: found.get("sha256") for name, found in record.get("files", {}).items()}
    if files and "files" in used and files != used["files"]:
        return "was made on other weights"
    return None


def _listed(path: Path) -> str | None:
    found = read_json(path)
    return found.get("results") if isinstance(found, dict) else None


def _said_by_page(path: Path) -> str | None:
    with open(path, encoding="utf-8", errors="replace") as page:
        found = _RESULTS.search(page.read(4096))
    return found.group(1) if found else None
