"""Slices of one draw: a model runs on the longest, the others take its first rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matteralign.config.schema import StudyConfig
from matteralign.core.files import read_json
from matteralign.core.hashing import canonical_json
from matteralign.models.base.wrapper import Embedded, Refusal, Wrapper
from matteralign.models.running.jobs import Job, _embed
from matteralign.registry.card import ModelCard
from matteralign.stages import embed
from matteralign.stages.study.layout import AnalysisLayout, Layout
from matteralign.stages.study.nested import longer, of_models, of_one_draw, source_of
from matteralign.stages.study.standing import Standing
from matteralign.stages.study.study import Study
from matteralign.store.latent_rows import open_latent
from matteralign.store.predictions import read_predictions
from matteralign.store.structures import Structure, read_structures, write_structures

KEYS = ["alpha", "beta"]
REFUSED = {3, 17}


class Sums(Wrapper):
    """Sums over the atoms; some structures are refused."""

    family = "test"

    def refuse(self, structure: Structure) -> Refusal | None:
        refused = int(structure.id[1:]) in REFUSED
        return Refusal("element", "not known") if refused else None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        sums = [[s.positions.sum(), (s.positions**2).sum(), s.n_atoms] for s in batch]
        rows = np.array(sums, np.float32)
        return Embedded(rows, rows[:, 1].astype(np.float64) if self.card.predicts else None)

    def n_parameters(self) -> int:
        return 0


@dataclass
class Place:
    """A study in a folder, and which rows models were run on."""

    study: Study
    folder: Path
    structures: list[Structure]
    ran: list[tuple[str, str, int]]

    def layout(self, name: str) -> Layout:
        return Layout(self.folder, name)

    def slices(self, **changes: Any) -> None:
        """Change fields of slices by name, or add slices."""
        raw = self.study.config.model_dump(mode="json")["slices"]
        for name, change in changes.items():
            raw[name] = raw.get(name, {}) | change
        config = StudyConfig.model_validate({"results": str(self.folder), "slices": raw})
        self.study = Study(config, self.study.cards)

    def sample(self, name: str, structures: Sequence[Structure] | None = None) -> str:
        n = self.study.slice(name).n
        assert isinstance(n, int)
        info = {"drawn": canonical_json(self.study.sample_identity(name))}
        rows = self.structures[:n] if structures is None else structures
        path = self.layout(name).structures
        return write_structures(path, rows, slice_name=name, dataset="qm9", info=info)

    def embed(self, name: str, key: str = "alpha") -> str:
        """Embed and return what was said."""
        said: list[str] = []
        embed.embed_model(
            self.study, self.layout(name), key, threads=1, device="cpu", report=said.append
        )
        result = Standing(self.study, self.layout(name)).embedded(self.study.cards[key])
        assert result.there
        assert result.differs() is None
        return "\n".join(said)

    def hashes(self, name: str, key: str = "alpha") -> tuple[bytes, bytes]:
        layout = self.layout(name)
        return layout.latent(key).read_bytes(), layout.predictions(key).read_bytes()

    def sidecar(self, name: str, key: str = "alpha") -> Any:
        return read_json(self.layout(name).latent_sidecar(key))


@pytest.fixture
def place(
    tmp_path: Path,
    make_card: Callable[..., ModelCard],
    molecule: Callable[..., Structure],
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    water = molecule("H2O")
    structures = [
        replace(water, id=f"w{i}", positions=water.positions + 0.01 * i) for i in range(60)
    ]
    chosen = {"dataset": "qm9", "seed": 0, "panel": KEYS}
    slices = {"short": chosen | {"n": 20}, "long": chosen | {"n": 50}}
    config = StudyConfig.model_validate({"results": str(tmp_path), "slices": slices})
    cards = {
        "alpha": make_card("alpha", 0, predicts=["energy"]),
        "beta": make_card("beta", 1),
        "gamma": make_card("gamma", 2),
    }
    made = Place(Study(config, cards), tmp_path, structures, [])

    def in_process(verb: str, card: ModelCard, **job: Any) -> None:
        job.pop("report")
        description = {"verb": verb, "card": card.model_dump(mode="json")} | job
        read = Job.model_validate(json.loads(json.dumps(description, default=str)))
        assert read.structures is not None
        sample = read_structures(read.structures)
        known = 0 if read.known is None else read.known.rows
        made.ran.append((sample.slice, card.key, len(sample) - known))
        _embed(read, Sums(card, {}, "cpu"), sample)

    monkeypatch.setattr(embed, "run_worker", in_process)
    for name in slices:
        made.sample(name)
    return made


def _alone(place: Place, name: str) -> tuple[bytes, bytes]:
    """Return a slice's latents and energies where no other slice is there."""
    kept = place.folder / "kept"
    for other in place.study.config.slices:
        if other != name:
            shutil.move(place.layout(other).root, kept / other)
    place.embed(name)
    found = place.hashes(name)
    shutil.rmtree(place.layout(name).root / "latents")
    for other in kept.iterdir():
        shutil.move(other, place.layout(other.name).root)
    place.ran.clear()
    return found


def test_the_short_slice_takes_the_rows_of_the_long_one_byte_for_byte(place: Place) -> None:
    alone = _alone(place, "short")
    place.embed("long")
    said = place.embed("short")
    assert place.ran == [("long", "alpha", 50)]
    assert said == "alpha: the first 20 rows are taken from long; the model need not run"
    assert place.hashes("short") == alone
    sidecar, source = place.sidecar("short"), place.sidecar("long")
    assert sidecar["taken_from"] == {
        "slice": "long",
        "rows": 20,
        "sample_set_id": source["sample_set_id"],
        "latent_sha256": source["sha256"],
    }
    assert (sidecar["slice"], sidecar["n_rows"], sidecar["n_valid"]) == ("short", 20, 18)
    assert [m["row"] for m in sidecar["masked"]] == [3, 17]
    assert sidecar["environment"] == source["environment"]
    assert sidecar["sample_set_id"] == read_structures(place.layout("short").structures).id
    assert "kept" in place.embed("short")


def test_a_model_without_energies_has_none_in_the_short_slice(place: Place) -> None:
    place.embed("long", "beta")
    place.embed("short", "beta")
    assert place.ran == [("long", "beta", 50)]
    assert read_predictions(place.layout("short").predictions("beta")).energies is None


def test_the_short_slice_alone_is_run(place: Place) -> None:
    place.embed("short")
    assert place.ran == [("short", "alpha", 20)]
    assert "taken_from" not in place.sidecar("short")


def test_a_longer_slice_runs_on_its_further_rows_alone(place: Place) -> None:
    alone = _alone(place, "long")
    place.embed("short")
    said = place.embed("long")
    assert place.ran == [("short", "alpha", 20), ("long", "alpha", 30)]
    assert "the first 20 rows are taken from short" in said
    assert place.hashes("long") == alone
    assert place.sidecar("long")["taken_from"]["slice"] == "short"


def test_a_slice_that_is_extended_runs_on_its_new_rows_alone(place: Place) -> None:
    place.embed("short")
    place.slices(short={"n": 30})
    place.sample("short")
    place.embed("short")
    assert place.ran == [("short", "alpha", 20), ("short", "alpha", 10)]
    with open_latent(place.layout("short").latent("alpha")) as rows:
        assert len(rows) == 30
        expected = [
            s.positions.sum() for i, s in enumerate(place.structures[:30]) if i not in REFUSED
        ]
        np.testing.assert_allclose(rows[:][rows.valid, 0], expected, rtol=1e-6)


def test_killed_between_energies_and_latents_an_extension_goes_on(place: Place) -> None:
    place.embed("short")
    latents = place.folder / "latents"
    shutil.copytree(place.layout("short").root / "latents", latents)
    place.slices(short={"n": 30})
    place.sample("short")
    place.embed("short")
    whole = place.hashes("short")
    # The energies of 30 rows are there, the latents still those of 20.
    shutil.rmtree(place.layout("short").root / "latents")
    shutil.copytree(latents, place.layout("short").root / "latents")
    place.embed("short")
    assert place.ran[-1] == ("short", "alpha", 10)
    assert place.hashes("short") == whole


def test_a_slice_that_is_cut_takes_nothing_from_what_it_had(place: Place) -> None:
    place.embed("short")
    place.slices(short={"n": 10})
    place.sample("short")
    place.embed("short")
    assert place.ran[-1] == ("short", "alpha", 10)


def test_other_structures_are_not_taken_whatever_the_configuration_says(place: Place) -> None:
    place.embed("long")
    moved = [place.structures[1], place.structures[0], *place.structures[2:20]]
    place.sample("short", moved)
    place.embed("short")
    assert place.ran == [("long", "alpha", 50), ("short", "alpha", 20)]


@pytest.mark.parametrize("damage", ["latent", "predictions", "structures", "sidecar"])
def test_a_damaged_source_is_not_taken(place: Place, damage: str) -> None:
    place.embed("long")
    layout = place.layout("long")
    path = {
        "latent": layout.latent("alpha"),
        "predictions": layout.predictions("alpha"),
        "structures": layout.structures,
        "sidecar": layout.latent_sidecar("alpha"),
    }[damage]
    data = bytearray(path.read_bytes())
    data[-5:] = b"\0\0\0\0\0"
    path.write_bytes(data)
    place.embed("short")
    assert place.ran == [("long", "alpha", 50), ("short", "alpha", 20)]


def test_rows_of_another_card_are_not_taken(
    place: Place, make_card: Callable[..., ModelCard]
) -> None:
    place.embed("long")
    changed = make_card("alpha", 0, predicts=["energy"], accepts={"elements": "1-9"})
    place.study = Study(place.study.config, place.study.cards | {"alpha": changed})
    place.embed("short")
    assert place.ran == [("long", "alpha", 50), ("short", "alpha", 20)]


def test_where_the_model_took_none_of_the_rows_it_is_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "REFUSED", set(range(20)))
    place.embed("long")
    place.embed("short")
    assert place.ran == [("long", "alpha", 50), ("short", "alpha", 20)]
    assert place.sidecar("short")["n_valid"] == 0


def test_one_draw_is_one_dataset_seed_and_filter(place: Place) -> None:
    chosen = {"dataset": "qm9", "seed": 0, "panel": KEYS}
    place.slices(
        every=chosen | {"n": "all"},
        twin=chosen | {"n": 20},
        seeded=chosen | {"n": 40, "seed": 1},
        small=chosen | {"n": 40, "filters": {"atoms": {"most": 9}}},
        grouped=chosen | {"n": 40, "stratify": "atoms"},
        grouped2=chosen | {"n": 40, "stratify": "atoms"},
        grouped3=chosen | {"n": 50, "stratify": "atoms"},
    )
    assert of_one_draw(place.study, "long") == ["every", "short", "twin"]
    assert longer(place.study, "short") == ["every", "long"]
    # Of two of one length one waits for the other, never both.
    assert longer(place.study, "twin") == ["every", "long", "short"]
    assert longer(place.study, "every") == []
    assert longer(place.study, "seeded") == longer(place.study, "small") == []
    assert longer(place.study, "grouped2") == ["grouped"]
    assert longer(place.study, "grouped") == longer(place.study, "grouped3") == []


def test_where_rows_come_from_is_decided_once(place: Place) -> None:
    def source(*requested: str, key: str = "alpha") -> str | None:
        return source_of(place.study, place.folder, "short", key, requested)

    assert source() is source("short") is None
    assert source("long") == "long"
    place.slices(long={"panel": ["alpha", "gamma"]})
    assert source("long", key="beta") is None
    place.embed("long")
    assert source() == "long"
    place.embed("short")
    assert source() == source("long") == "long"
    # Without its source a slice that is there and of today is left as it is.
    shutil.rmtree(place.layout("long").root)
    assert source() is source("long") is None


def test_what_was_run_is_not_taken_later(place: Place) -> None:
    place.embed("short")
    place.embed("long")
    assert source_of(place.study, place.folder, "short", "alpha", ["long"]) is None


def test_a_run_needs_latents_of_the_models_that_its_results_show(place: Place) -> None:
    place.slices(long={"panel": ["alpha", "beta", "gamma"]})

    def needed(*files: str) -> dict[str, set[str]]:
        return of_models(place.study, place.folder, [f"results/{file}" for file in files])

    every = {"alpha", "beta", "gamma"}
    assert needed("long/report.html", "short/structures.parquet") == {"long": every}
    assert needed("long/latents/beta.npy", "long/predictions/alpha.parquet") == {
        "long": {"alpha", "beta"}
    }
    assert needed("long/neighbors/gamma.json", "_shared/datasets/qm9.json") == {"long": {"gamma"}}


def test_an_analysis_needs_what_it_reads_of_its_slices(place: Place) -> None:
    analysis = {
        "kind": "paired_scores",
        "slices": ["short", "long"],
        "scores": [{"metric": "cka", "definition": "plain"}],
    }
    raw = place.study.config.model_dump(mode="json", include={"slices", "results"})
    config = StudyConfig.model_validate(raw | {"analyses": {"both": analysis}})
    study = Study(config, place.study.cards)
    record = AnalysisLayout(place.folder, "both").record
    # Scores need every model of the panel, whichever the analysis shows.
    assert of_models(study, place.folder, [str(record)]) == {"short": {*KEYS}, "long": {*KEYS}}
