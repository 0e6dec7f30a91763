"""Every mutant: of the server, of the specification, and of the adapter."""

from typing import Final

from tests.conformance.mutants.mutant import PLUGIN, Mutant
from tests.conformance.mutants.of_adapters import OF_ADAPTERS
from tests.conformance.mutants.of_replies import OF_REPLIES
from tests.conformance.mutants.of_requests import OF_REQUESTS
from tests.conformance.mutants.of_servers import OF_SERVERS

__all__ = ["MUTANTS", "PLUGIN", "Mutant"]

MUTANTS: Final = (*OF_SERVERS, *OF_REQUESTS, *OF_REPLIES, *OF_ADAPTERS)
