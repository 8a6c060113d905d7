"""`check-model` and `models` with the models that need no package of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from matteralign.cli.app import main
from matteralign.core.paths import CACHE_VARIABLE
from matteralign.registry.load import load_cards
from matteralign.stages.runtime import launch

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run the program in a folder and a cache of its own, with this interpreter as environment."""
    monkeypatch.setattr(launch, "ensure_environment", lambda *_: Path(sys.executable))
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "180")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        code: object = 0
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["matteralign", *arguments])
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        return subprocess.CompletedProcess(arguments, code or 0, *capfd.readouterr())

    return run


def own_card(folder: Path, key: str, **changes: Any) -> None:
    """Write a random baseline of the user's own in `folder`, and a configuration that names it."""
    card = load_cards()["random"].model_dump(mode="json", exclude_defaults=True)
    card |= {"key": key, "index": 900, "study_row": None} | changes
    cards = folder / "my-cards"
    cards.mkdir(parents=True)
    (cards / f"{key}.yaml").write_text(yaml.safe_dump(card))
    (folder / "config.yaml").write_text(f"cards: [{cards}]\n")


def test_what_was_found_is_printed_recorded_and_shown_by_models(call: Callable[..., Done]) -> None:
    done = call("check-model", "random", "ecfp4", "--json")
    assert done.returncode == 0, done.stderr
    found = {c["model"]: c for c in json.loads(done.stdout)}
    assert list(found) == ["random", "ecfp4"]
    for checked in found.values():
        assert checked["passed"]
        assert checked["weights"] == "none"
        clauses = {c["check"]: c for c in checked["checks"]}
        assert clauses["order"]["measured"] == 0
        assert {c["status"] for c in clauses.values()} == {"pass", "not_applicable"}
    assert "[2 of 2] ecfp4: pass" in done.stderr
    listed = {m["key"]: m for m in json.loads(call("models", "--json").stdout)}
    assert listed["random"]["check"]["state"] == "pass"
    assert listed["random"]["check"]["failed"] == []
    assert listed["orb-v2"]["check"] == {"state": "never"}
    table = call("models").stdout
    (line,) = [line for line in table.splitlines() if " random " in line]
    assert "Random Baseline" in line
    assert f"pass {found['random']['date'][:10]}" in line
    assert "of 59 rows of the study" in table


def test_the_table_has_numbers_and_bounds(call: Callable[..., Done]) -> None:
    done = call("check-model", "random")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(" batch of one")]
    assert line.split()[3:6] == ["pass", "0", "0.0001"]
    assert "1 of 1 study rows pass (1 without weights)" in done.stdout


def test_a_model_that_fails_is_an_exit_code_and_a_reason(
    call: Callable[..., Done], tmp_path: Path
) -> None:
    own_card(tmp_path, "liar", parameters={"measured": 7})
    done = call("check-model", "liar", "random")
    assert done.returncode == 1
    assert "the loaded network has 0 parameters, its card says 7" in " ".join(done.stdout.split())
    assert "0 of 1 extras pass" in done.stdout
    assert "1 of 1 study rows pass" in done.stdout
    listed = {m["key"]: m["check"] for m in json.loads(call("models", "--json").stdout)}
    assert (listed["liar"]["state"], listed["liar"]["failed"]) == ("fail", ["loads and runs"])


def test_what_passed_is_left_out_until_the_card_changes(
    call: Callable[..., Done], tmp_path: Path
) -> None:
    own_card(tmp_path, "mine")
    assert call("check-model", "mine").returncode == 0
    again = call("check-model", "mine", "random", "--skip-passed")
    assert "1 of 2 passed before" in again.stderr
    assert "] random: pass" in again.stderr
    assert "mine: checking" not in again.stderr
    assert "1 of 1 extras pass" in again.stdout
    own_card(tmp_path / "changed", "mine", options={"seed": 1})
    changed = ["--config", str(tmp_path / "changed" / "config.yaml")]
    (line,) = [line for line in call("models", *changed).stdout.splitlines() if " mine " in line]
    assert "outdated" in line
    assert "] mine: pass" in call("check-model", "mine", "--skip-passed", *changed).stderr


# Writes the result of the first task it is given, and dies with the second.
DIES = """
import json, os, sys
tasks = json.load(open(sys.argv[1]))["tasks"]
found = {"model": tasks[0]["card"]["key"], "seconds": 0.1, "checks": [], "weights": "none"}
with open(tasks[0]["result"] + ".tmp", "w") as handle:
    json.dump(found, handle)
os.rename(tasks[0]["result"] + ".tmp", tasks[0]["result"])
os._exit(9 if len(tasks) > 1 else 0)
"""


def test_a_process_that_dies_costs_one_model(
    call: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(DIES)
    monkeypatch.setattr(launch, "_WORKER", worker)
    done = call("check-model", "random", "ecfp4", "composition", "--json")
    assert done.returncode == 1
    found = {c["model"]: c for c in json.loads(done.stdout)}
    assert [found[key]["passed"] for key in ("random", "ecfp4", "composition")] == [
        True, False, True,
    ]  # fmt: skip
    assert "exit code 9" in found["ecfp4"]["checks"][0]["detail"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name models, or --all, --family or --environment"),
        (["mace-mp-smal"], "did you mean 'mace-mp-small'?"),
        (["--family", "orbs"], "did you mean 'orb'?"),
        (["--environment", "mein"], "did you mean 'main'?"),
    ],
)
def test_a_wrong_name_is_one_line(
    arguments: list[str], message: str, call: Callable[..., Done]
) -> None:
    done = call("check-model", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr


SLEEPS = """
import json, os, pathlib, sys, time
here = pathlib.Path(sys.argv[0]).parent
(here / "pid").write_text(str(os.getpid()))
tasks = json.load(open(sys.argv[1]))["tasks"]
found = {"model": tasks[0]["card"]["key"], "seconds": 0.1, "checks": [], "weights": "none"}
with open(tasks[0]["result"] + ".tmp", "w") as handle:
    json.dump(found, handle)
os.rename(tasks[0]["result"] + ".tmp", tasks[0]["result"])
time.sleep(300)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_is_finished_and_stops_the_worker(
    how: signal.Signals, tmp_path: Path
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(SLEEPS)
    code = (
        "import pathlib, sys; from matteralign.stages.runtime import launch; "
        f"launch._WORKER = pathlib.Path({str(worker)!r}); "
        "launch.ensure_environment = lambda *_: pathlib.Path(sys.executable); "
        "sys.argv = ['matteralign', 'check-model', 'random', 'ecfp4']; "
        "from matteralign.cli.app import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env=os.environ | {CACHE_VARIABLE: str(tmp_path / "cache")},
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "[1 of 2] random: pass" in line:
            break
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: finished checks are kept" in said
    assert [p.name for p in (tmp_path / "cache" / "checks").iterdir()] == ["random.json"]
    assert not list((tmp_path / "cache" / "architectures").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
