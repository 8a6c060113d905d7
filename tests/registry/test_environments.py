from __future__ import annotations

from pathlib import Path

import pytest

from matteralign.core.errors import UserError
from matteralign.registry import environments
from matteralign.registry.environments import Environment, get_environment, this_python
from matteralign.registry.load import load_cards

PINS = "# how it was made\nase==3.25.0\nnumpy==1.26.4 ; python_version < '3.12'\n"


def _env(folder: Path, requirements: str, overrides: str | None = None) -> Environment:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text(requirements)
    (folder / "smoke.txt").write_text("numpy\n# a remark\nase.io  # reading\n\n")
    if overrides is not None:
        (folder / "overrides.txt").write_text(overrides)
    return Environment(folder.name, folder)


def test_the_lock_ignores_comments_blank_lines_and_order(tmp_path: Path) -> None:
    first = _env(tmp_path / "a", PINS)
    lines = [f"{line}  # via x" for line in PINS.splitlines()[:0:-1]]
    second = _env(tmp_path / "b", "\n\n".join(lines) + "\n    # via y\n")
    assert first.lock_digest() == second.lock_digest()


@pytest.mark.parametrize(
    "change",
    [("3.25.0", "3.25.1"), ("ase==3.25.0\n", ""), ("3.12", "3.13"), ("\nase", "\nasee==1\nase")],
)
def test_the_lock_changes_with_any_pin(tmp_path: Path, change: tuple[str, str]) -> None:
    before = _env(tmp_path / "a", PINS).lock_digest()
    assert _env(tmp_path / "b", PINS.replace(*change)).lock_digest() != before


def test_overrides_belong_to_the_lock(tmp_path: Path) -> None:
    plain = _env(tmp_path / "a", PINS)
    first = _env(tmp_path / "b", PINS, "e3nn==0.5\n")
    second = _env(tmp_path / "c", PINS, "# reason\ne3nn==0.5 # why\n")
    third = _env(tmp_path / "d", PINS, "e3nn==0.6\n")
    assert plain.overrides is None
    assert len({e.lock_digest() for e in (plain, first, second, third)}) == 3
    assert first.lock_digest() == second.lock_digest()


def test_the_build_folder_carries_name_and_lock(tmp_path: Path) -> None:
    first = _env(tmp_path / "a", PINS)
    second = _env(tmp_path / "x" / "a", PINS.replace("3.25.0", "3.26.0"))
    assert first.build_key().startswith("a-")
    assert first.build_key() != second.build_key()


def test_smoke_modules_without_remarks(tmp_path: Path) -> None:
    assert _env(tmp_path / "a", PINS).smoke_modules() == ["numpy", "ase.io"]


def test_an_unknown_environment_gets_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _env(tmp_path / "main", PINS)
    monkeypatch.setattr(environments, "environments_folder", lambda: tmp_path)
    assert get_environment("main").folder == tmp_path / "main"
    with pytest.raises(UserError, match="unknown environment 'mian': did you mean 'main'"):
        get_environment("mian")


def test_every_card_names_an_environment_whose_packages_are_pinned() -> None:
    for name in {card.environment for card in load_cards().values()}:
        environment = get_environment(name)
        assert environment.smoke_modules()
        for line in environment.requirements.read_text().splitlines():
            pin = line.split("#")[0].strip()
            assert not pin or pin.startswith("--hash") or "==" in pin, line


@pytest.mark.parametrize(
    ("where", "other"),
    [
        ("platform.machine", "aarch64"),
        ("sysconfig.get_platform", "linux-aarch64"),
        ("sysconfig.get_config_var", "cpython-313t-x86_64-linux-gnu"),
    ],
)
def test_the_build_folder_knows_processor_platform_and_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, other: str
) -> None:
    environment = _env(tmp_path / "a", PINS)
    here, lock = environment.build_key(), environment.lock_digest()
    assert environment.build_key(this_python()) == here != environment.build_key("3.99")
    monkeypatch.setattr(where, lambda *_: other)
    assert environment.build_key() != here
    assert environment.lock_digest() == lock


def test_every_environment_of_a_card_says_which_pythons_serve() -> None:
    for name in {card.environment for card in load_cards().values()}:
        assert {"3.11", "3.12"} <= set(get_environment(name).pythons())
