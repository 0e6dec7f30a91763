"""The command line: ``boards``."""

from boards.cli.app import main

__all__ = ["main"]
