"""Acme: a provider of pictures and speech that has never heard of Boards.

Nothing in this package imports ``boards``, or reads a specification: its API is what a person who
writes a plugin would find in a provider's documentation. `AcmeServer` takes the name of one
defect, which it then has.
"""

from tests.conformance.acme.server import DEFECTS, AcmeServer

__all__ = ["DEFECTS", "AcmeServer"]
