"""The front door: every command is there, and a user's mistake is one line."""

import importlib
import subprocess
import sys

import pytest
import typer

from still.__main__ import COMMANDS, main
from still.errors import UserError
from still.front import run


@pytest.mark.parametrize("name", COMMANDS)
def test_command_answers_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of the table exists and explains itself."""
    assert main([name, "--help"]) == 0
    assert f"still {name}" in capsys.readouterr().out


def test_unknown_command_suggests(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error gets the nearest name and status 2."""
    assert main(["predcit"]) == 2
    assert "did you mean `still predict`?" in capsys.readouterr().err


def test_users_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A UserError prints its sentence without a traceback, status 2."""

    def register(app: typer.Typer) -> None:
        @app.command("break")
        def break_() -> None:
            raise UserError("port 99999 is no port; use 1 to 65535")

    assert run(register, ["break"]) == 2
    assert capsys.readouterr().err == "error: port 99999 is no port; use 1 to 65535\n"


def test_module_runs() -> None:
    """`python -m still` is the same command."""
    done = subprocess.run([sys.executable, "-m", "still", "--help"], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout


def test_modules_are_named_after_commands() -> None:
    """Every module in the table can be imported and registers itself."""
    for module, _ in COMMANDS.values():
        assert callable(importlib.import_module(module).register)
