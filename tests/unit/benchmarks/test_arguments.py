"""Words behind `scripts/bench`: what nobody knows is refused before anything is measured, and help tells the rest."""

from __future__ import annotations

import pkgutil
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

import benchmarks
from benchmarks.__main__ import main

NAMES = sorted(
    info.name
    for info in pkgutil.iter_modules([str(Path(benchmarks.__file__ or "").parent)])
    if not info.name.startswith("_")
)


@pytest.fixture(autouse=True)
def measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark that begins to measure fails."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("something is measured")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)


@pytest.mark.parametrize("word", ["--nonsense", "nonsense"])
@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_word_is_refused(name: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: an option or word that a benchmark does not take ends it with 2 and one sentence naming word and remedy."""
    assert main([name, word]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert word in err
    assert f"scripts/bench {name} --help" in err


@pytest.mark.parametrize("name", NAMES)
def test_help_tells_and_measures_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: --help prints what a benchmark is about and takes, and ends with 0."""
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: scripts/bench {name} [-h]")
    assert f"`scripts/bench {name}" in told


def test_parts_that_exclude_each_other_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Law: words that contradict each other are refused as unknown ones are; a shortened option is unknown."""
    assert main(["rules", "--district", "--city"]) == 2
    assert "not allowed with" in capsys.readouterr().err
    assert main(["rules", "--distr"]) == 2
    assert "--distr" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_the_list(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Law: without a name every benchmark is listed."""
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"Benchmarks: {', '.join(NAMES)}\n"


def test_a_benchmark_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Law: an unknown name is refused with 2, naming it and those that there are."""
    assert main(["speed", "--help"]) == 2
    assert capsys.readouterr().err == f"bench: there is no benchmark 'speed'. Benchmarks: {', '.join(NAMES)}\n"
