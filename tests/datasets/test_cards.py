from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from matteralign.core.errors import UserError
from matteralign.datasets.base.catalogue import (
    BUILTIN,
    dataset_names,
    get_dataset,
    load_datasets,
    read_dataset_card,
    reader_class,
)

VERSION = {
    "about": "x",
    "reader": "aselmdb",
    "split": "val",
    "files": [{"name": "a.tar.gz", "sources": [{"url": "https://a.org/a.tar.gz"}]}],
}
CARD: dict[str, Any] = {
    "key": "toy",
    "title": "Toy",
    "kind": "crystals",
    "revision": 1,
    "licence": "CC0",
    "citation": "none",
    "level_of_theory": "PBE",
    "offers": ["positions"],
    "units": {"length": "angstrom", "energy": "eV"},
    "default": "val",
    "versions": {"val": VERSION},
}


def message(tmp_path: Path, **changes: Any) -> str:
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(CARD | changes))
    with pytest.raises(UserError) as caught:
        read_dataset_card(path)
    return str(caught.value).removeprefix(f"{path}: ")


def test_the_datasets_of_the_study_are_there() -> None:
    names = dataset_names()
    assert {"qm9", "omat24", "salex", "omol25", "rcsb"} == set(load_datasets())
    assert {
        "qm9@package", "qm9@original", "omat24@val", "salex@val", "salex@train", "omol25@val",
        "omol25@neutral-val", "omol25@train-4m", "rcsb@clusters-30", "rcsb@clusters-90",
    } <= set(names)  # fmt: skip
    for name in names:
        chosen = get_dataset(name)
        assert reader_class(chosen.version.reader)
        assert chosen.wanted()


def test_the_key_alone_means_the_default_version() -> None:
    assert get_dataset("qm9").version is get_dataset("qm9@package").version
    assert get_dataset("qm9").card.title == "QM9"


def test_validation_of_omat24_never_uses_the_upload_with_duplicates() -> None:
    files = get_dataset("omat24@val").version.files
    assert len(files) == 11
    for pinned in files:
        for source in pinned.sources:
            assert "/241220/" in source.model_dump()["url"]


def test_an_unknown_dataset_or_version_gets_the_nearest() -> None:
    for wrong, right in {
        "qm0": "qm9",
        "qm9@orignal": "qm9@original",
        "omol25@neutral_val": "omol25@neutral-val",
        "rscb": "rcsb",
        "rcsb@cluster-30": "rcsb@clusters-30",
    }.items():
        with pytest.raises(UserError, match=f"unknown dataset '{wrong}': did you mean '{right}'"):
            get_dataset(wrong)


def test_what_decides_the_rows_is_the_identity() -> None:
    assert get_dataset("qm9").identity()["files"]["qm9_part1.csv"].startswith("19f0a5d5")
    assert get_dataset("qm9@original").identity() != get_dataset("qm9").identity()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"licens": "x"}, "licens: unknown key: did you mean 'licence'?"),
        ({"default": "train"}, "top level: default: no version is called 'train'"),
        ({"units": {"length": "angstrom", "energy": "kcal"}}, "units.energy: unknown value 'kcal'"),
        ({"units": {"length": "angstrom"}}, "top level: units.energy: only proteins may be"),
        ({"elements": "1-200"}, "elements: '1-200' is not within atomic numbers"),
        ({"versions": {"val": VERSION | {"reader": "aselmd"}}}, "versions.val: unknown reader"),
        ({"versions": {"val": VERSION | {"files": VERSION["files"] * 2}}}, "versions.val.files"),
        ({"versions": {"A val": VERSION}}, "versions.A val"),
        ({"revision": 0}, "revision: "),
    ],
)
def test_a_wrong_field_says_where(tmp_path: Path, changes: Any, expected: str) -> None:
    assert message(tmp_path, **changes).startswith(expected)


def test_what_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_bytes(b"a: [\xff")
    with pytest.raises(UserError, match=r"toy\.yaml: not valid YAML"):
        read_dataset_card(path)


def test_every_card_file_is_named_like_its_key() -> None:
    assert {path.stem for path in BUILTIN.glob("*.yaml")} == set(load_datasets())
