"""Take a model's rows from another slice of the same draw, or from a shorter draw of this one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from matteralign.core.errors import IntegrityError
from matteralign.registry.card import ModelCard
from matteralign.stages.study.layout import Layout
from matteralign.stages.study.nested import of_one_draw
from matteralign.stages.study.standing import check_weights, differences, made_by
from matteralign.stages.study.study import Study
from matteralign.store.known_rows import KnownRows, read_known_rows
from matteralign.store.latents import read_sidecar, write_latent
from matteralign.store.predictions import read_predictions_metadata, write_predictions
from matteralign.store.structures import SampleSet, first_rows_id, read_header, sample_set_id


@dataclass(frozen=True)
class _Candidate:
    """Latents that were made as those of a sample set would be, whatever their rows."""

    layout: Layout
    sidecar: dict[str, Any]

    def usable(self, sample: SampleSet) -> int:
        return min(int(self.sidecar["n_rows"]), len(sample))


@dataclass(frozen=True, eq=False)
class Found:
    """First rows of a sample set that lie in another place.

    Attributes
    ----------
    layout
        Paths of the slice that they lie in.
    sidecar
        The sidecar of the latents there.
    known
        The rows.
    """

    layout: Layout
    sidecar: dict[str, Any]
    known: KnownRows

    @property
    def told(self) -> str:
        """For a reader: which rows, and where from."""
        return f"the first {len(self.known):,} rows are taken from {self.layout.slice}"

    @property
    def taken_from(self) -> dict[str, Any]:
        """What a sidecar says of rows that were taken from here."""
        return {
            "slice": self.layout.slice,
            "rows": len(self.known),
            "sample_set_id": self.sidecar["sample_set_id"],
            "latent_sha256": self.sidecar["sha256"],
        }


def find_rows(study: Study, layout: Layout, card: ModelCard, sample: SampleSet) -> Found | None:
    """Return the latents that hold most first rows of a model on a sample set; None: none do.

    They were made with the same card, wrapper version, environment and weights, and their rows
    are those of the sample set by the hashes of their contents. Looked at are the slices of the
    same draw, and what the slice itself had before it was drawn longer.

    Parameters
    ----------
    card
        As it would run: with the files that stand in for weights, where they do.
    """
    alike = _made_alike(study, layout, card)
    for source in sorted(alike, key=lambda source: source.usable(sample), reverse=True):
        if source.layout == layout and source.sidecar["sample_set_id"] == sample.id:
            continue  # these are what is to be made again
        known = _read(source, card, sample) if _begins(source, sample) else None
        # Where the model took none of them it is run: that may be an error to tell.
        if known is not None and known.any_valid:
            return Found(source.layout, source.sidecar, known)
    return None


def take_rows(
    layout: Layout, card: ModelCard, sample: SampleSet, found: Found, identity: dict[str, object]
) -> None:
    """Write a model's latents and energies on a sample set after all its rows were found.

    Parameters
    ----------
    identity
        What the sidecar must say, as of a model that is run.
    """
    key, known = card.key, found.known
    write_predictions(
        layout.predictions(key),
        [structure.id for structure in sample.structures],
        known.energies,
        {m.row: f"{m.code}: {m.reason}" for m in known.masked},
        {
            "model": key,
            "slice": sample.slice,
            "sample_set_id": sample.id,
            "card_sha256": card.digest(),
            "weights": card.checkpoint.weights,
        },
    )
    # The packages that the rows were made with stand in the source's sidecar alone.
    own = identity | {"environment": found.sidecar["environment"], "taken_from": found.taken_from}
    write_latent(layout.latent(key), known.latents, known.masked, found.sidecar | own)


def _made_alike(study: Study, layout: Layout, card: ModelCard) -> Iterator[_Candidate]:
    """Yield this model's existing latents made as the current configuration would make them."""
    key = card.key
    wanted = study.embed_identity(key, layout.slice)
    for name in (*of_one_draw(study, layout.slice), layout.slice):
        place = Layout(layout.results, name)
        try:
            sidecar = read_sidecar(place.latent(key))
            check_weights(card, sidecar, place.latent(key))
            energies = read_predictions_metadata(place.predictions(key))
        except IntegrityError:
            continue
        if (
            not differences(made_by(sidecar), wanted)
            and sidecar["checkpoint"]["weights"] == card.checkpoint.weights
            and sidecar.get("card_sha256") == card.digest() == energies.get("card_sha256")
        ):
            yield _Candidate(place, sidecar)


def _begins(found: _Candidate, sample: SampleSet) -> bool:
    """Return whether the latents and the sample set are of the same structures, row by row."""
    theirs, rows = found.sidecar["sample_set_id"], found.usable(sample)
    if int(found.sidecar["n_rows"]) <= len(sample):
        return bool(theirs == sample_set_id(sample.structures[:rows]))
    structures = found.layout.structures
    try:
        if read_header(structures).sample_set_id != theirs:
            return False
        return first_rows_id(structures, rows) == sample.id
    except IntegrityError:
        return False


def _read(found: _Candidate, card: ModelCard, sample: SampleSet) -> KnownRows | None:
    ids = [structure.id for structure in sample.structures[: found.usable(sample)]]
    latent, predictions = found.layout.latent(card.key), found.layout.predictions(card.key)
    try:
        return read_known_rows(latent, predictions, ids, energies=bool(card.predicts))
    except IntegrityError:
        return None
