"""The harness runs, its tables have the promised shape, its peers agree with the engine.

Nothing here asserts a time.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from benchmarks import big, child, data, dense, ratios, startup
from benchmarks.report import exponent, number, spread, table
from benchmarks.run import main, parse
from matteralign.metrics import cknna

IN_A_PROCESS = child.run
TINY = ["--n", "150", "--d", "6", "--models", "3", "--repeats", "1", "--peer-pairs", "3"]


@pytest.fixture(scope="module", autouse=True)
def in_one_process():
    """Spare the tests a new interpreter for every measurement."""

    def run(task, arguments, *, threads):
        return json.loads(json.dumps(child.call(task, json.loads(json.dumps(arguments)))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "run", run)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    arguments = ["--quick", *TINY, "--scratch", str(folder / "scratch"), "--out", str(folder)]
    sections = ["--only", "peers", "--only", "limit", "--only", "scaling"]
    sizes = ["--limit-n", "200", "--limit-d", "8", "--scaling-n", "60", "120", "--scaling-m", "2"]
    peers = ["--peers", "cknna-dense", "--peers", "dcor", "--peers", "cknna-platonic"]
    assert main([*arguments, *sections, *sizes, "--scaling-fixed-n", "60", *peers]) == 0
    return folder


def test_outputs(run):
    page = (run / "benchmarks.md").read_text()
    for heading in ("## Peers", "## Share of the sgemm limit", "## Scaling"):
        assert heading in page
    assert "* BLAS: " in page
    assert "CPU-s from one product of rows, a ratio of" in page
    assert (run / "images" / "bench-against-n.svg").read_text().startswith("<?xml")
    widths = [line.count(" | ") for line in page.splitlines() if line.startswith("| dcor")]
    assert widths == [len(ratios.HEAD) - 1]


def test_a_section_keeps_the_others(run, tmp_path):
    shutil.copy(run / "benchmarks.json", tmp_path)
    before = json.loads((run / "benchmarks.json").read_text())
    sizes = ["--limit-n", "100", "--limit-d", "4"]
    places = ["--scratch", str(run / "scratch"), "--out", str(tmp_path)]
    assert main(["--quick", "--only", "limit", *sizes, *places]) == 0
    after = json.loads((tmp_path / "benchmarks.json").read_text())
    assert after["limit"]["n"] == 100
    assert {k: v for k, v in after.items() if k != "limit"} == {
        k: v for k, v in before.items() if k != "limit"
    }
    assert "## Peers" in (tmp_path / "benchmarks.md").read_text()


def test_peers_agree_with_the_engine(run):
    rows = {
        row["key"]: row
        for row in json.loads((run / "benchmarks.json").read_text())["peers"]["rows"]
    }
    # Dense CKNNA runs in float32, as its authors do; dcor in float64.
    assert rows["cknna-dense"]["difference"] < 1e-5
    assert rows["dcor"]["difference"] < 1e-10
    for key in ("cknna-dense", "dcor"):
        assert rows[key]["measured"] == rows[key]["total"] == 3
        middle, least, most = rows[key]["ratio_cpu"]
        assert 0 < least <= middle <= most


def test_an_absent_peer_is_reported_with_the_reason(run):
    line = next(
        line
        for line in (run / "benchmarks.md").read_text().splitlines()
        if line.startswith("| platonic-rep")
    )
    assert "not measured: needs --platonic-rep" in line


def test_a_measuring_process_has_its_own_threads_and_no_forced_kernel(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    facts = IN_A_PROCESS("run:facts_task", {}, threads=1)
    assert facts["blas_kernel_forced"] == "no"
    assert all(line.endswith(" 1 thread(s)") for line in facts["blas"])
    assert facts["peak_rss"] > 0


def test_a_failing_process_says_why():
    with pytest.raises(child.ChildError, match="no_such_task"):
        IN_A_PROCESS("run:no_such_task", {}, threads=1)


@pytest.mark.parametrize("product", [True, False])
def test_dense_cknna_is_the_engines(product):
    x, y = (data.model(i, 120, 9, seed=3).astype(np.float64) for i in range(2))
    assert dense.cknna(x, y, 10, product=product) == pytest.approx(cknna(x, y, 10), rel=1e-10)


def test_models_are_seeded_nested_and_of_full_rank(tmp_path):
    x = data.model(1, data.CHUNK + 30, 20, seed=5)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:50], data.model(1, 50, 20, seed=5))
    assert np.linalg.matrix_rank(x[:200].astype(np.float64)) == 20
    assert not np.array_equal(x[:50], data.model(2, 50, 20, seed=5))
    data.write_model(tmp_path / "x.npy", 1, len(x), 20, 5)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), x)


def test_rows_are_read_from_disk_by_slices(tmp_path):
    x = data.model(0, 64, 5, seed=0)
    path = tmp_path / "x.npy"
    np.save(path, x)
    rows = data.NpyRows(path)
    assert (rows.shape, rows.dtype, len(rows)) == ((64, 5), np.float32, 64)
    for part in (slice(None), slice(3, 9), slice(60, 99), slice(5, 5)):
        np.testing.assert_array_equal(rows[part], x[part])
    with pytest.raises(IndexError):
        rows[::2]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(EOFError, match="shorter"):
        data.NpyRows(path)[:]


def test_big_goes_on_where_it_was(tmp_path, capfd):
    sizes = ["--big-n", "200", "--big-models", "3", "--big-d", "6", "--big-wide", "40"]
    settings = parse(["--only", "big", *sizes, "--scratch", str(tmp_path), "--big-threads", "1"])
    found = big.measure(settings)
    stages = found["stages"]
    assert list(stages) == ["write", "lists", "pairs", *(f"wide: {s}" for s in big.PARTS)]
    # The kernel reads its page counters per CPU without a lock: two readings of one peak differ.
    assert all(stage["peak_rss"] > 0.99 * stage["base_rss"] > 0 for stage in stages.values())
    (folder,) = tmp_path.iterdir()
    scores = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    assert {(s["a"], s["b"]) for s in scores} == {
        (a, b) for a in ("m00", "m01", "m02") for b in ("m00", "m01", "m02") if a != b
    }
    assert all(s["value"] is not None for s in scores)
    capfd.readouterr()
    assert big.measure(settings) == found
    assert capfd.readouterr().out.count("done before") == 6
    assert "not the size of the bar" in big.section(found)


def test_numbers_and_tables():
    assert [number(x) for x in (None, 0.0, 1234.6, 0.12345, 3.2e-9)] == [
        "–",
        "0",
        "1235",
        "0.123",
        "3.2e-09",
    ]
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00–3.00)"
    assert table(("a", "b"), [(1, 2)]).splitlines() == ["| a | b |", "|---|---|", "| 1 | 2 |"]
    assert exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2.0)
    assert exponent([1], [3]) is None


@pytest.mark.network
def test_datasets(tmp_path, capsys):
    places = ["--scratch", str(tmp_path / "scratch"), "--out", str(tmp_path)]
    assert main(["--quick", "--only", "datasets", *places]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("| slice of `.aselmdb` written | 200 of 500 | **") for line in lines)
    rows = [line for line in lines if "of QM9 written" in line]
    assert rows[0].startswith("| slice of QM9 written | 200 | **")
    assert "< 30 s, " in rows[0]
    assert "< 3 GB, " in rows[0]
    found = json.loads((tmp_path / "benchmarks.json").read_text())["datasets"]
    assert found["parse"]["rows"] == found["original"]["rows"] == 300
    assert (found["database"]["rows"], found["database"]["of"]) == (200, 500)
    assert (tmp_path / "scratch" / "slices" / "s" / "structures.parquet").is_file()


def test_databases_are_genuine_and_made_once(tmp_path, monkeypatch):
    from ase_db_backends.aselmdb import LMDBDatabase

    from benchmarks import containers

    monkeypatch.setattr(containers, "DISTINCT", 6)
    folder = containers.databases(tmp_path / "d", 18, seed=1)
    files = sorted(folder.glob("*.aselmdb"))
    assert len(files) == 3
    assert files[0].read_bytes() == files[2].read_bytes()
    for path in files:
        with LMDBDatabase(path, use_lock_file=False, readonly=True) as database:
            assert len(database) == 6
            row = database.get(id=6)
        assert row.forces.shape == (row.natoms, 3)
    monkeypatch.delattr(containers, "_write")
    assert containers.databases(folder, 18, seed=1) == folder


def test_a_slice_of_databases_is_drawn_read_and_written(tmp_path):
    from benchmarks.datasets import database_task

    sizes = {"rows": 40, "n": 15, "seed": 2, "folder": str(tmp_path / "d")}
    found = database_task(**sizes, out=str(tmp_path / "s.parquet"))
    assert (found["rows"], found["of"]) == (15, 40)
    assert (tmp_path / "s.parquet").is_file()


def test_the_start_of_the_command_line_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(startup, "COMMANDS", startup.COMMANDS[:2])
    sizes = ["--quick", "--repeats", "1", "--scratch", str(tmp_path / "scratch")]
    assert main([*sizes, "--only", "startup", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "benchmarks.md").read_text()
    assert "## Start of the command line" in page
    rows = [line for line in page.splitlines() if line.startswith("| `matteralign ")]
    assert [row.split("`")[1] for row in rows] == ["matteralign --help", "matteralign modles"]
