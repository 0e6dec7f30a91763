"""Pipelines: steps that take what others made, each an ordinary generation."""

from boards.pipelines.building import Pipeline
from boards.pipelines.model import PipelineSpec, Step

__all__ = ["Pipeline", "PipelineSpec", "Step"]
