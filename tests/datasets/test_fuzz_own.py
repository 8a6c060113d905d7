"""Users' files that are damaged at random: no crash, no hang, no row lost without a word."""

from __future__ import annotations

import gzip
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.datasets.own_files import CIF, MOLECULE, checked, frame
from tests.datasets.test_fuzz import damaged

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def lines(content: bytes) -> list[str]:
    """Return lines as the readers see them."""
    text = content.decode("utf-8-sig", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@FUZZ
@given(content=damaged(frame(a="1") + frame(a="2")))
def test_extended_xyz(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(content)
    checked("extxyz", tmp_path / "a.xyz", columns={"energy": "a"})


@FUZZ
@given(content=damaged(MOLECULE * 2))
def test_sdf(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.sdf").write_bytes(content)
    found = checked("sdf", tmp_path / "a.sdf", columns={"energy": "a"})
    if isinstance(found, dict):
        ends = sum(line.rstrip() == "$$$$" for line in lines(content))
        assert len(found) in (ends, ends + 1)


@FUZZ
@given(content=damaged(b"id,smi,q\na,CCO,0\nb,C,0\nc,N,0\n"))
def test_tables_of_smiles(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    columns = {"id": "id", "smiles": "smi", "charge": "q"}
    found = checked("smiles-csv", tmp_path / "a.csv", columns=columns)
    if isinstance(found, dict) and b'"' not in content:
        assert len(found) == sum(line != "" for line in lines(content)[1:])


@FUZZ
@given(content=damaged(b">a x\nACDE\nFGH\n>b\nGGGG*\n"))
def test_fasta(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.fasta").write_bytes(content)
    found = checked("fasta", tmp_path / "a.fasta")
    if isinstance(found, dict):
        assert len(found) == sum(line.startswith(">") for line in lines(content))


@FUZZ
@given(content=damaged(CIF))
def test_cif(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_bytes(content)
    found = checked("cif-folder", tmp_path)
    assert list(found) == ["a"]


@FUZZ
@given(data=st.data(), suffix=st.sampled_from([".cif", ".pdb"]))
def test_proteins(
    data: st.DataObject, suffix: str, written: dict[str, bytes], tmp_path: Path
) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    (tmp_path / f"1abc{suffix}").write_bytes(data.draw(damaged(written[suffix])))
    found = checked("structure-folder", tmp_path)
    assert isinstance(found, dict)
    assert found


@FUZZ
@given(data=st.data())
def test_gzipped_proteins(data: st.DataObject, written: dict[str, bytes], tmp_path: Path) -> None:
    whole = gzip.compress(written[".cif"], mtime=0)
    (tmp_path / "1abc.cif.gz").write_bytes(data.draw(damaged(whole)))
    found = checked("structure-folder", tmp_path)
    assert isinstance(found, dict)
    assert found


@FUZZ
@given(data=st.data(), suffix=st.sampled_from([".db", ".json"]), named=st.booleans())
def test_ase_databases(
    data: st.DataObject, suffix: str, named: bool, databases: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data.draw(damaged(databases[suffix])))
    checked("ase-db", path, columns={"id": "name"} if named else {})
