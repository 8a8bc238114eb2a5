"""The settings of the server: ``ostiary.toml``, environment ``OSTIARY_SECTION__NAME``, secrets also as ``*_FILE``."""

from ostiary.settings.dev import dev_settings, remember_ports
from ostiary.settings.load import load_settings
from ostiary.settings.sections import Settings
from ostiary.settings.serve_checks import serve_checks, serve_warnings
from ostiary.settings.static import StaticApi, StaticClient

__all__ = [
    "Settings",
    "StaticApi",
    "StaticClient",
    "dev_settings",
    "load_settings",
    "remember_ports",
    "serve_checks",
    "serve_warnings",
]
