"""Protein models: contract, agreement with other code, and the reasons for bad chains."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import matteralign
from matteralign.datasets.proteins.chains import read_chains
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards
from matteralign.store.structures import write_structures

pytestmark = [pytest.mark.models, pytest.mark.network]

SCRIPT = Path(__file__).parent / "reference" / "proteins.py"
CARDS = load_cards()
TRIED = {
    "esm": ["esmc-300m", "esm3-sequence", "esm3-structure"],
    "main": [
        "antiberty", "esm2-8m", "esm-if1", "prostt5-sequence", "prostt5-structure", "proteinmpnn",
        "unirep-1900",
    ],
}  # fmt: skip
# Float32 networks, another order of operations: the relative deviation that was seen, doubled.
AGREE = {
    "antiberty": 2e-6, "esm2": 2e-6, "esm3": 2e-6, "esm_if1": 2e-6, "esmc": 2e-6,
    "prostt5": 2e-6, "protein_mpnn": 2e-6, "unirep": 2e-6,
}  # fmt: skip

ANY_LETTER = {
    "no chain": "sequence", "no residues": "empty", "letter a": "residue", "letter *": "residue",
}  # fmt: skip
SEQUENCE = ANY_LETTER | {"letter J": "residue"}
BACKBONE = {
    "no chain": "sequence", "no residues": "empty", "no coordinates": "backbone",
    "no backbone": "backbone", "backbone of another length": "backbone", "infinite": "backbone",
}  # fmt: skip
REFUSED = {
    "antiberty": ANY_LETTER | {"2000 residues": "size"},
    "esm-if1": BACKBONE,
    "esm2-8m": SEQUENCE | {"2000 residues": "size"},
    "esm3-sequence": SEQUENCE,
    "esm3-structure": BACKBONE,
    "esmc-300m": SEQUENCE,
    "prostt5-sequence": SEQUENCE,
    "prostt5-structure": BACKBONE,
    "proteinmpnn": BACKBONE | {"no oxygen": "backbone"},
    "unirep-1900": ANY_LETTER,
}


def served(card: ModelCard) -> bool:
    sources = [source.kind for f in card.checkpoint.files for source in f.sources]
    return all(kind == "package" for kind in sources)


@pytest.fixture(scope="session")
def try_cards(
    model_python: Callable[[str], Path],
    checkpoint_files: Callable[[ModelCard], dict[str, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Any]:
    """Run the script on cards of one environment; return what it found of each."""

    def run(keys: Sequence[str], structures: Path | None = None) -> Any:
        folder = tmp_path_factory.mktemp("proteins")
        real = {k: checkpoint_files(CARDS[k]) for k in keys if served(CARDS[k])}
        job = {
            "cards": [CARDS[key].model_dump(mode="json") for key in keys],
            "files": {k: {n: str(p) for n, p in files.items()} for k, files in real.items()},
            "structures": None if structures is None else str(structures),
        }
        (folder / "job.json").write_text(json.dumps(job))
        (environment,) = {CARDS[key].environment for key in keys}
        done = subprocess.run(
            [
                str(model_python(environment)), "-W", "ignore",
                str(SCRIPT), str(folder / "job.json"), str(folder),
            ],
            capture_output=True, text=True, check=False, cwd=folder,
            env=os.environ | {"PYTHONPATH": str(Path(matteralign.__file__).parents[1])},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def found(try_cards: Callable[..., Any]) -> Callable[[str], Any]:
    """Return what was found of a card; each environment runs once for all its cards."""
    reports: dict[str, Any] = {}

    def of(key: str) -> Any:
        environment = CARDS[key].environment
        if environment not in reports:
            reports[environment] = try_cards(TRIED[environment])
        return reports[environment][key]

    return of


def keeps(report: Any, key: str) -> None:
    """Assert what every protein model keeps to, whatever the chains."""
    assert [c for c in report["checks"] if c["status"] == "fail"] == []
    assert report["weights"] == ("trained" if served(CARDS[key]) else "untrained")
    assert report["own"] <= AGREE[CARDS[key].wrapper]


ALL = [key for keys in TRIED.values() for key in keys]


@pytest.mark.parametrize("key", ALL)
def test_a_model_keeps_its_contract_and_agrees_with_other_code(
    key: str, found: Callable[[str], Any]
) -> None:
    report = found(key)
    assert report["taken"] == 5
    keeps(report, key)
    assert report["again"] == 0.0, "another build with the same seed differs"


@pytest.mark.parametrize("key", ALL)
def test_chains_that_a_model_cannot_take_have_a_reason(
    key: str, found: Callable[[str], Any]
) -> None:
    refused = {name: code for name, code in found(key)["bad"].items() if code != "taken"}
    assert refused == REFUSED[key]


@pytest.mark.assets
@pytest.mark.slow
@pytest.mark.parametrize("environment", TRIED)
def test_real_chains(
    environment: str, assets: Path, try_cards: Callable[..., Any], tmp_path: Path
) -> None:
    with tarfile.open(assets / "proteins_mmcif.tar.xz") as archive:
        archive.extractall(tmp_path / "mmcif", filter="data")
    chains = [c for path in sorted((tmp_path / "mmcif").rglob("*.cif*")) for c in read_chains(path)]
    chains = [c for c in chains if len(c.sequence or "") <= 250][:32]
    path = tmp_path / "structures.parquet"
    write_structures(path, chains, slice_name="real", dataset="rcsb")
    for key, report in try_cards(TRIED[environment], path).items():
        assert report["taken"] >= 30, key
        keeps(report, key)
