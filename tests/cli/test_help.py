"""Help as a manual: a description, examples that parse and exit codes for every command;
`--version`; completion.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import get_completion_class

import bbans
from bbans.models import library
from bbans_cli.completion import VARIABLE
from bbans_cli.main import commands
from bbans_cli.manual import ALWAYS, CODES, PAGES, commands_below
from tests.cli.conftest import Run

Runner = Callable[..., Run]
EVERY = dict(commands_below(commands))
SEPARATORS = ("|", "&&", ">", ";")


def calls(line: str) -> list[list[str]]:
    """The calls of `bbans` in a shell's line, without what is redirected."""
    found: list[list[str]] = [[]]
    lexer = shlex.shlex(line.partition("  #")[0], posix=True, punctuation_chars="|&>;")
    lexer.whitespace_split = True
    for word in lexer:
        if word in SEPARATORS:
            found.append([])
        else:
            found[-1].append(word)
    return [words[1:] for words in found if words[:1] == ["bbans"]]


def check_call(words: list[str]) -> str:
    """Raise click.UsageError unless the command has these options with such values and takes so
    many arguments; its names.
    """
    command: click.Command = commands
    path = []
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    context = click.Context(command, info_name=" ".join(path), help_option_names=["-h", "--help"])
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    assert not isinstance(command, click.Group) or all(word.startswith("-") for word in words), (
        f"{words} is no command"
    )
    if "--help" in words:
        return " ".join(path)
    assert not rest, f"{rest} are too many arguments of {path}"
    for parameter in command.get_params(context):
        value = values.get(parameter.name)
        unset = value is None or type(value).__name__ == "Sentinel"
        assert not (unset and parameter.required), f"{path} needs {parameter.name}"
        if not unset and not isinstance(parameter.type, click.Path):
            parameter.type_cast_value(context, value)
    return " ".join(path)


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    assert set(PAGES) == set(EVERY)


@pytest.mark.parametrize("path", sorted(EVERY))
def test_help_of_a_command(run: Runner, path: str) -> None:
    shown = run(*path.split(), "--help")
    text = shown.out.decode()
    assert (shown.code, shown.err) == (0, "")
    command, page = EVERY[path], PAGES[path]
    assert command.help and len(command.help.split("\n\n")) > 1, (
        "a description is a line and more about it"
    )
    assert not command.get_short_help_str(limit=62).endswith("..."), (
        "the list of commands shows the whole first line"
    )
    for line, what in page.examples:
        assert f"    {line}\n        {what}\n" in text
    assert {int(code) for code in re.findall(r"^ +(\d+)  ", text, re.MULTILINE)} == {
        *ALWAYS,
        *page.exits,
    }
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, (
            f"{parameter.name} says nothing"
        )


@pytest.mark.parametrize("path", sorted(EVERY))
def test_examples_parse(path: str) -> None:
    assert PAGES[path].examples
    for line, _ in PAGES[path].examples:
        found = [check_call(words) for words in calls(line)]
        assert found, line
        assert all(name.startswith(path) for name in found[:1])


def test_an_example_that_does_not_parse_is_found() -> None:
    for wrong in (
        "compress --fast a",
        "compress --effort best a",
        "compress",
        "bench --threads 0 a",
        "models show a b",
    ):
        with pytest.raises((click.UsageError, AssertionError)):
            check_call(wrong.split())
    assert calls("bbans compress -c a | bbans decompress - > b") == [
        ["compress", "-c", "a"],
        ["decompress", "-"],
    ]


def test_commands_in_the_documents_parse(repository: Path) -> None:
    lines = []
    for document in (repository / "README.md", *sorted((repository / "docs").glob("*.md"))):
        lines += re.findall(
            r"^(?: {4})?(bbans .*)$", document.read_text(encoding="utf-8"), re.MULTILINE
        )
    checked = [check_call(words) for line in lines for words in calls(line)]
    assert len(checked) >= 20


def test_exit_codes_are_those_of_the_documents(repository: Path) -> None:
    rows = re.findall(
        r"^\| (\d+) \| (.*) \|$",
        (repository / "docs" / "command-line.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert {int(code): text for code, text in rows} == CODES


def test_version_names_every_model(run: Runner) -> None:
    lines = run("--version").out.decode().splitlines()
    models = library.list_models()
    assert models and len(lines) == 2 + len(models)
    assert lines[1] == f"engine {bbans.engine()}"
    for line, model in zip(lines[2:], models, strict=True):
        assert line.split()[:2] == ["model", model.name] and model.id[:16] in line


def completed(shell: str, line: str, folder: Path) -> list[str]:
    """What `bbans` answers a shell that completes this line."""
    words = line.split(" ")
    variables = {
        VARIABLE: f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "BBANS_MODEL_PATH": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from bbans_cli.main import main; main([])"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()


def test_completion_of_commands_and_models(tmp_path: Path) -> None:
    (tmp_path / "mine-1.safetensors").touch()
    assert completed("bash", "bbans comp", tmp_path) == ["plain,completion", "plain,compress"]
    assert completed("bash", "bbans compress --effort f", tmp_path) == ["plain,fast"]
    assert completed("bash", "bbans compress --model mi", tmp_path) == ["plain,mine-1"]
    assert completed("bash", "bbans compress --model ./mi", tmp_path) == ["file,./mi"]
    assert completed("bash", "bbans models show photo-f", tmp_path) == ["plain,photo-fast-1"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_clicks_and_parse(run: Runner, shell: str) -> None:
    shown = run("completion", shell)
    assert shown.code == 0 and get_completion_class(shell) is not None
    assert VARIABLE.encode() in shown.out and f"{shell}_complete".encode() in shown.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=shown.out, check=True, timeout=60)


def test_an_unknown_shell_is_wrong_usage(run: Runner) -> None:
    assert run("completion", "cmd").code == 2
