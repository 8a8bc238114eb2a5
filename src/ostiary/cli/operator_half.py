"""Nouns of which one half is for operators: those commands need the extra "server", the others do not."""

from __future__ import annotations

import importlib

import typer

from ostiary.extras import missing_extra


def add_operator_commands(app: typer.Typer, module: str, verbs: tuple[str, ...]) -> None:
    """Add the commands of ``module.app`` to ``app``; without the extra, commands that say that it is missing."""
    try:
        operators: typer.Typer = importlib.import_module(module).app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "ostiary":
            raise
        for verb in verbs:
            _add_missing(app, verb, error)
        return
    app.registered_commands.extend(operators.registered_commands)


def _add_missing(app: typer.Typer, verb: str, error: ModuleNotFoundError) -> None:
    @app.command(verb, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    def missing() -> None:
        """For operators; needs the extra "server"."""
        raise missing_extra("server", error) from error
