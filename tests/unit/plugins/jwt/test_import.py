"""What a listing of plugins loads of boards-jwt."""

import json
import subprocess
import sys

import boards_jwt

LISTED = """
import json, sys
from boards_jwt import plugin
print(json.dumps([one for one in ("aiohttp", "joserfc", "cryptography") if one in sys.modules]))
"""


def test_a_listing_loads_neither_http_nor_cryptography() -> None:
    """The hook's module is imported whenever plugins are listed."""
    done = subprocess.run([sys.executable, "-c", LISTED], check=True, capture_output=True)
    assert json.loads(done.stdout) == []


def test_every_public_name_is_there() -> None:
    """Though it is loaded at its first use."""
    assert all(getattr(boards_jwt, name) is not None for name in boards_jwt.__all__)
