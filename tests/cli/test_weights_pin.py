"""`matteralign weights pin`: what was downloaded becomes a lock that is enforced and shared."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from matteralign.cli.app import app
from matteralign.config.load import LOCK_NAME, load_config
from matteralign.core.errors import IntegrityError, MatterAlignError, UserError
from matteralign.registry.card import ModelCard
from matteralign.registry.load import load_cards
from matteralign.registry.lock import read_lock, with_lock
from matteralign.stages.study.standing import check_weights
from matteralign.stages.study.study import open_study
from tests.serving import Server, server

__all__ = ["server"]
BODY, OTHER = b"weights" * 4_000, b"changed" * 4_000
SHA256, OTHER_SHA256 = (hashlib.sha256(body).hexdigest() for body in (BODY, OTHER))


@pytest.fixture
def study(server: Server, tmp_path: Path, make_card: Callable[..., ModelCard]) -> Path:
    """A folder with two models that share a file whose hash no card knows, and one pickle."""
    cards = tmp_path / "cards"
    cards.mkdir()
    url = server.put("/shared.pt", BODY)
    for number, key in enumerate(("one", "two", "pickle")):
        file = {"name": "w.pt", "sources": [{"url": url + ("?p" if key == "pickle" else "")}]}
        checkpoint = {"weights": "trained", "licence": "MIT", "files": [file]}
        checkpoint["executes_code"] = key == "pickle"
        card = make_card(key, 9000 + number, checkpoint=checkpoint)
        (cards / f"{key}.yaml").write_text(yaml.safe_dump(card.model_dump(mode="json")))
    server.put("/shared.pt?p", BODY)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"cards": [str(cards)]}))
    return tmp_path


@dataclass(frozen=True)
class Done:
    """What came of a command: exit code, and the error as one would read it."""

    returncode: int
    stderr: str


def run(folder: Path, *arguments: str, **variables: str) -> Done:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in variables.items():
            patch.setenv(name, value)
        done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, MatterAlignError):
        return Done(done.exception.exit_code, f"{done.output}\nerror: {done.exception}")
    return Done(done.exit_code, done.output)


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "model": "one", "file": "w.pt", "sha256": SHA256, "size": len(BODY), "source": "x",
        "date": "2026-01-31",
    } | changes  # fmt: skip


def lock(folder: Path, *entries: dict[str, Any], name: str = LOCK_NAME) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump({"files": list(entries)}))
    return path


def opened(folder: Path) -> dict[str, ModelCard]:
    found = open_study(load_config(folder / "config.yaml"))
    return dict(found.cards)


def test_what_was_fetched_is_locked_and_other_bytes_are_refused_elsewhere(
    server: Server, study: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = opened(study)
    done = run(study, "weights", "pin", "one")
    assert done.returncode == 2
    assert "one: its weights are not here; fetch them first: matteralign fetch" in done.stderr
    assert run(study, "fetch", "--model", "one").returncode == 0
    done = run(study, "weights", "pin", "one")
    assert done.returncode == 0, done.stderr
    (found,) = read_lock(study / LOCK_NAME).files
    assert (found.model, found.file, found.sha256) == ("one", "w.pt", SHA256)
    assert (found.size, found.source) == (len(BODY), server.address("/shared.pt"))
    # The same file of another model is locked too; latents that there are stay valid.
    after = opened(study)
    assert [after[key].checkpoint.hash_from() for key in ("one", "two", "pickle")] == [
        "lock", "lock", "first download",
    ]  # fmt: skip
    assert before["one"].checkpoint.hash_from() == "first download"
    assert all(after[key].digest() == before[key].digest() for key in before)
    assert after["one"].checkpoint.origin() == before["one"].checkpoint.origin()
    # A colleague with the lock and an empty cache, after the publisher changed the file.
    server.put("/shared.pt", OTHER)
    empty = str(tmp_path_factory.mktemp("empty"))
    done = run(study, "fetch", "--model", "two", MATTERALIGN_CACHE=empty)
    assert done.returncode == 1
    assert f"has sha256 {OTHER_SHA256}, not as pinned" in done.stderr
    server.put("/shared.pt", BODY)
    done = run(study, "fetch", "--model", "two", MATTERALIGN_CACHE=empty)
    assert done.returncode == 0, done.stderr
    # Pinning again changes nothing, nor does a second model take the first away.
    text = (study / LOCK_NAME).read_text()
    assert run(study, "weights", "pin", "one").returncode == 0
    assert (study / LOCK_NAME).read_text() == text
    assert run(study, "weights", "pin", "two").returncode == 0
    assert [e.model for e in read_lock(study / LOCK_NAME).files] == ["one", "two"]


def test_a_lock_that_contradicts_what_was_recorded_here_is_one_line(study: Path) -> None:
    assert run(study, "fetch", "--model", "one").returncode == 0
    lock(study, entry(sha256=OTHER_SHA256))
    for verb in (["fetch", "--model", "one"], ["weights", "pin", "one"]):
        done = run(study, *verb)
        assert done.returncode == 1
        (line,) = [part for part in done.stderr.splitlines() if part.startswith("error: ")]
        assert SHA256 in line
        assert OTHER_SHA256 in line


def test_a_pickle_is_pinned_after_somebody_vouched_for_it(study: Path) -> None:
    assert run(study, "fetch", "--model", "pickle").returncode == 2
    done = run(study, "weights", "pin", "pickle")
    assert done.returncode == 2
    assert "--accept" in done.stderr
    assert not (study / LOCK_NAME).exists()
    assert run(study, "fetch", "--model", "pickle", "--accept", SHA256).returncode == 0
    assert run(study, "weights", "pin", "pickle").returncode == 0


def test_a_damaged_file_is_not_pinned(study: Path) -> None:
    assert run(study, "fetch", "--model", "one").returncode == 0
    cache = Path(os.environ["MATTERALIGN_CACHE"])
    (held,) = (cache / "files").rglob("w.pt")
    held.write_bytes(OTHER)
    done = run(study, "weights", "pin", "one")
    assert done.returncode == 1
    assert "damaged or another version" in done.stderr


def test_a_lock_elsewhere_is_named_in_the_configuration(study: Path) -> None:
    path = lock(study, entry(), name="ours.yaml")
    config = yaml.safe_load((study / "config.yaml").read_text())
    assert opened(study)["one"].checkpoint.hash_from() == "first download"
    config["weights_lock"] = str(path)
    (study / "config.yaml").write_text(yaml.safe_dump(config))
    assert opened(study)["one"].checkpoint.hash_from() == "lock"
    path.unlink()
    with pytest.raises(UserError, match=r"ours\.yaml: there is no such lock"):
        opened(study)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(model="onee")], "unknown model 'onee': did you mean 'one'?"),
        ([entry(file="w.pth")], "one: unknown file 'w.pth': did you mean 'w.pt'?"),
        ([entry(sha256="ab")], r"files\[0\].sha256: must be a SHA-256"),
        ([entry(), entry()], "w.pt of one is there twice"),
        ([entry(), entry(model="two", sha256=OTHER_SHA256)], "pinned elsewhere with"),
        (
            [entry(), entry(model="two", size=5)],
            rf"w\.pt of two is locked with size 5, another entry has {len(BODY)}",
        ),
        ([entry(hash=1)], r"files\[0\].hash: unknown key"),
    ],
)
def test_a_lock_that_is_wrong_names_file_entry_and_fault(
    study: Path, entries: list[dict[str, Any]], message: str
) -> None:
    lock(study, *entries)
    with pytest.raises(UserError, match=rf"{LOCK_NAME}: .*{message}") as caught:
        opened(study)
    assert len(str(caught.value).splitlines()) == 1


def test_a_lock_and_a_card_that_disagree_are_refused(tmp_path: Path) -> None:
    cards = load_cards()
    pinned = cards["mace-mp-small"].checkpoint.files[0]
    good = entry(model="mace-mp-small", file=pinned.name, sha256=pinned.sha256, size=pinned.size)
    same = with_lock(cards, lock(tmp_path, good))
    assert same["mace-mp-small"] == cards["mace-mp-small"]
    with pytest.raises(UserError, match="they are of different releases"):
        with_lock(cards, lock(tmp_path, good | {"sha256": SHA256}))
    size = rf"{pinned.name} of mace-mp-small is locked with size 5, its card has {pinned.size}"
    with pytest.raises(UserError, match=rf"{LOCK_NAME}: {size}"):
        with_lock(cards, lock(tmp_path, good | {"size": 5}))


@pytest.mark.parametrize("known", ["recorded", "card"])
def test_a_size_against_the_file_of_the_right_hash_is_refused(study: Path, known: str) -> None:
    if known == "card":
        path = study / "cards" / "one.yaml"
        card = yaml.safe_load(path.read_text())
        card["checkpoint"]["files"][0] |= {"sha256": SHA256, "size": None}
        path.write_text(yaml.safe_dump(card))
    assert run(study, "fetch", "--model", "one").returncode == 0
    lock(study, entry(size=5))
    for verb in (["fetch", "--model", "one"], ["weights", "pin", "one"]):
        done = run(study, *verb)
        assert done.returncode == 1
        (line,) = [part for part in done.stderr.splitlines() if part.startswith("error: ")]
        assert "w.pt" in line
        assert f"{len(BODY)} bytes" in line
        assert "size 5 " in line
        assert "correct the size" in line
    # Another lock, which is only written to.
    other = lock(study, entry(size=5), name="other.yaml")
    (study / LOCK_NAME).unlink()
    done = run(study, "weights", "pin", "one", "--lock", str(other))
    assert (
        f"other.yaml: w.pt of one is locked with size 5, the file of this sha256 has {len(BODY)}"
        in done.stderr
    )


def test_models_without_weights_to_fetch_are_refused(study: Path) -> None:
    assert "has no weights" in run(study, "weights", "pin", "random").stderr
    done = run(study, "weights", "pin", "orb-v3-direct-20-omat-random")
    assert "nothing to pin" in done.stderr
    assert "name what to pin" in run(study, "weights", "pin").stderr


@pytest.mark.parametrize("pinned", ["card", "lock"])
def test_latents_of_other_weights_are_not_shown(
    study: Path, make_card: Callable[..., ModelCard], pinned: str
) -> None:
    lock(study, entry())
    card = opened(study)["one"]
    if pinned == "card":
        (file,) = card.checkpoint.files
        files = [file.model_copy(update={"sha256": SHA256, "locked": None})]
        checkpoint = card.checkpoint.model_copy(update={"files": files})
        card = card.model_copy(update={"checkpoint": checkpoint})
    made = {"weights": "trained", "files": {"w.pt": SHA256}}
    check_weights(card, {"checkpoint": made}, Path("one.npy"))
    other = made | {"files": {"w.pt": OTHER_SHA256}}
    with pytest.raises(
        IntegrityError, match=rf"one\.npy: .*{OTHER_SHA256}, the {pinned}.*{SHA256}"
    ):
        check_weights(card, {"checkpoint": other}, Path("one.npy"))
    # An untrained network has files of its own.
    check_weights(card, {"checkpoint": other | {"weights": "untrained"}}, Path("one.npy"))
    check_weights(make_card("no", 1), {}, Path("no.npy"))
