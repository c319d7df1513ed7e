"""Settings: whatever is wrong in a file is one sentence that names file and key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from phongmay_contract.settings import SettingsError, read_settings, sample, section, setting


@dataclass(frozen=True)
class Inner:
    """A table."""

    path: Path = setting(Path("/tmp/x"), about="A path.")
    mode: str = setting("a", about="A word.", choices=("a", "b"))


@dataclass(frozen=True)
class Outer:
    """A file."""

    name: str = setting(about="Needed.")
    port: int = setting(80, about="A port.", low=1, high=65535)
    ratio: float = setting(0.5, about="A share.", low=0)
    on: bool = setting(True, about="A switch.")
    words: list[str] = setting(["x"], about="Some words.")
    inner: Inner = section(Inner, about="A table.")


def read(tmp_path: Path, text: str) -> Outer:
    """Read a text as a file."""
    path = tmp_path / "house.toml"
    path.write_text(text, "utf-8")
    return read_settings(Outer, path)


def test_a_full_file_is_read(tmp_path: Path) -> None:
    """Types come out as declared; a whole number may stand for a number."""
    found = read(tmp_path, 'name="n"\nport=1\nratio=1\non=false\nwords=[]\n[inner]\npath="/a"\nmode="b"\n')
    assert found == Outer("n", 1, 1.0, False, [], Inner(Path("/a"), "b"))
    assert isinstance(found.ratio, float)


def test_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    """Only the needed key."""
    assert read(tmp_path, 'name="n"\n') == Outer("n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'name' is missing: Needed."),
        ('nam="n"', "unknown key 'nam'; did you mean 'name'?"),
        ('name="n"\nzzzz=1', "unknown key 'zzzz'; known here: inner, name"),
        ('name="n"\n[inner]\nmod="a"', "unknown key 'inner.mod'; did you mean 'mode'?"),
        ("name=1", "'name' must be a text, not 1"),
        ('name="n"\nport="80"', "'port' must be a whole number, not '80'"),
        ('name="n"\nport=true', "'port' must be a whole number, not True"),
        ('name="n"\nport=0', "'port' must be at least 1 and at most 65535, not 0"),
        ('name="n"\nport=65536', "'port' must be at least 1 and at most 65535"),
        ('name="n"\nratio=-0.1', "'ratio' must be at least 0, not -0.1"),
        ('name="n"\non=1', "'on' must be true or false, not 1"),
        ('name="n"\nwords="x"', "'words' must be a list of texts"),
        ('name="n"\nwords=[1]', "'words' must be a list of texts"),
        ('name="n"\ninner=1', "'inner' must be a table"),
        ('name="n"\n[inner]\nmode="c"', "'inner.mode' must be one of a, b, not 'c'"),
        ('name="n"\n[inner]\npath=3', "'inner.path' must be a path (text), not 3"),
        ("name=", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """File, dotted key and what is expected, in one line."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    sentence = str(caught.value)
    assert said in sentence
    assert sentence.startswith(str(tmp_path / "house.toml"))


def test_a_missing_and_an_unreadable_file_are_told_apart(tmp_path: Path) -> None:
    """One is to be written, the other to be mended."""
    with pytest.raises(SettingsError, match="no such file"):
        read_settings(Outer, tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(Outer, tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name="\xe9"')
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(Outer, tmp_path / "latin.toml")


def test_the_sample_documents_every_key(tmp_path: Path) -> None:
    """It loads once the needed key is filled, and means the defaults."""
    text = sample(Outer)
    for key in ("name", "port", "ratio", "on", "words", "path", "mode"):
        assert f"{key} = " in text
    assert read(tmp_path, text.replace('name = ""', 'name = "n"')) == Outer("n")
