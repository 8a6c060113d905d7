from __future__ import annotations

import os
from pathlib import Path

import pytest

from matteralign.config.load import resolve
from matteralign.core.errors import UserError
from matteralign.core.mirrors import parse_mirror
from matteralign.sources.transfer.settings import settings, use_mirrors


@pytest.mark.parametrize(
    ("text", "prefix", "base"),
    [
        ("/mirror", None, "file:///mirror/"),
        ("file:///mirror/", None, "file:///mirror/"),
        ("https://m.org/x", None, "https://m.org/x/"),
        ("https://m.org/x?a=b", None, "https://m.org/x?a=b/"),
        ("https://a.org/d/=/mirror", "https://a.org/d/", "file:///mirror/"),
        ("https://a.org/=http://b.org", "https://a.org/", "http://b.org/"),
    ],
)
def test_what_a_mirror_may_be(text: str, prefix: str | None, base: str) -> None:
    found = parse_mirror(text)
    assert (found.prefix, found.base) == (prefix, base)


@pytest.mark.parametrize("text", ["", "mirror", "ftp://a.org", "../up", "https://a b"])
def test_what_no_mirror_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="neither an address"):
        parse_mirror(text)
    with pytest.raises(UserError, match=r"config\.yaml: mirrors: mirror .* is neither"):
        resolve({"mirrors": [text]}, origin="config.yaml", base=Path())


def test_a_wrong_variable_is_the_users_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATTERALIGN_MIRRORS", "mirror")
    with pytest.raises(UserError, match=r"\$MATTERALIGN_MIRRORS: mirror 'mirror'"):
        settings()
    monkeypatch.setenv("MATTERALIGN_MIRRORS", "")
    for value in ("soon", "-1", "nan"):
        monkeypatch.setenv("MATTERALIGN_TIMEOUT", value)
        with pytest.raises(UserError, match=r"\$MATTERALIGN_TIMEOUT"):
            settings()


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("yes", True), ("0", False)])
def test_offline_is_a_switch(value: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATTERALIGN_OFFLINE", value)
    assert settings().offline is offline


def test_mirrors_of_the_configuration_come_behind_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MATTERALIGN_MIRRORS", "/first")
    use_mirrors(["/second", "/first"])
    assert os.environ["MATTERALIGN_MIRRORS"] == "/first /second"
    assert [m.base for m in settings().mirrors] == ["file:///first/", "file:///second/"]
