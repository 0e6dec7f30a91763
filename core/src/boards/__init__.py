"""Boards: generate images, audio, video, text and models with any installed provider."""

from boards.artifacts import Artifact
from boards.boards import Boards
from boards.budgets import CostGroup
from boards.errors import (
    AuthError,
    BoardsError,
    ConflictError,
    Failure,
    GenerationCanceledError,
    GenerationError,
    GenerationFailedError,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    PipelineError,
    PluginError,
    Problem,
    ProviderError,
    SettingsError,
    SpecError,
    StorageError,
    StoreError,
    UnavailableError,
)
from boards.events import Event
from boards.generations import Cost, Generation, Progress
from boards.lineage import Lineage, Link, Relative
from boards.runs import PipelineRun, StepRun
from boards.scoped import ScopedBoards

__all__ = [
    "Artifact",
    "AuthError",
    "Boards",
    "BoardsError",
    "ConflictError",
    "Cost",
    "CostGroup",
    "Event",
    "Failure",
    "Generation",
    "GenerationCanceledError",
    "GenerationError",
    "GenerationFailedError",
    "GenerationUnresolvedError",
    "InvalidInputError",
    "Lineage",
    "Link",
    "NotFoundError",
    "PipelineError",
    "PipelineRun",
    "PluginError",
    "Problem",
    "Progress",
    "ProviderError",
    "Relative",
    "ScopedBoards",
    "SettingsError",
    "SpecError",
    "StepRun",
    "StorageError",
    "StoreError",
    "UnavailableError",
]
