"""Where the engine's steps run."""

from boards.runner.protocol import Again, Done, Drive, Runner

__all__ = ["Again", "Done", "Drive", "Runner"]
