"""The command line: the list of commands, and what a mistake or a signal turns into."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from reelgym import __version__
from reelgym.commands import (
    ask,
    compare,
    cot,
    demo,
    difficulty,
    doctor,
    evaluate,
    exchange,
    inspect,
    judges,
    lab,
    leaks,
    listing,
    new,
    publish,
    report,
    store,
    synth,
    train,
    view,
)
from reelgym.errors import ReelgymError
from reelgym.terminal import Stopped, disk_fault, fail, raise_stopped

app = typer.Typer(
    name="reelgym",
    help="Post-train video language models on puzzles cut from raw video, and measure whether they look.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo,
    synth,
    exchange,
    inspect,
    difficulty,
    cot,
    train,
    evaluate,
    ask,
    compare,
    leaks,
    lab,
    judges,
    report,
    view,
    publish,
    store,
    listing,
    new,
    doctor,
):
    command.add(app)

OPTIONAL = ("torch", "transformers", "accelerate", "peft", "safetensors", "datasets", "ray")
"""What comes with an extra; a command that needs one says so."""


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, raise_stopped)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0, 1 (the work failed), 2 (the request was wrong), 130, 143."""
    try:
        app(list(arguments), prog_name="reelgym")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except ReelgymError as error:
        return fail(str(error), error.exit_code)
    except OSError as error:
        return disk_fault(error)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in OPTIONAL:
            raise
        return fail(f"this needs {error.name}, which is not installed: pip install 'reelgym[train]'", 2)
    except Stopped as stop:
        return fail("stopped; what was finished is kept", 128 + stop.signum)
    return 0


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"reelgym {__version__}")
        raise typer.Exit()


if __name__ == "__main__":
    main()
