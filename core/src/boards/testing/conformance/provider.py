"""The provider kit: does a plugin's provider keep the promises that Boards makes of it?

Each check runs the real engine over real sockets against a server that plays the provider's side:
an emulator that the specification's own tests make, or one of the author's. A proxy between them
loses replies, refuses, and stalls.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from boards.testing.conformance import (
    provider_crash,
    provider_errors,
    provider_jobs,
    provider_outputs,
    provider_replies,
    provider_secrets,
    provider_spec,
    provider_webhooks,
    provider_wire,
)
from boards.testing.conformance.checks import CheckTable, Conformance
from boards.testing.conformance.subject import ProviderSubject, Server

__all__ = ["CHECKS", "ProviderConformance", "ProviderSubject", "Server"]

CHECKS: Final[CheckTable[ProviderSubject]] = CheckTable(
    (
        *provider_spec.CHECKS,
        *provider_wire.CHECKS,
        *provider_jobs.CHECKS,
        *provider_replies.CHECKS,
        *provider_errors.CHECKS,
        *provider_outputs.CHECKS,
        *provider_secrets.CHECKS,
        *provider_webhooks.CHECKS,
        *provider_crash.CHECKS,
    )
)
"""Every check of the kit."""


class ProviderConformance(Conformance, checks=CHECKS):
    """The kit for pytest: subclass it, and say which provider.

    Example:
        >>> class TestAcme(ProviderConformance):
        ...     provider = "acme"

    Attributes:
        provider: The provider's name.
        specs: YAML files that define it; none where its plugin is installed.
        generators: Names of the generators that are tried; all where None.
        representatives: Names of the generators that faults are tried on; where None, one of each
            way to run a job.
        environment: Variables beside those that the server asks for.
        patience: Seconds within which a generation ends, or hangs.
    """

    provider: ClassVar[str]
    specs: ClassVar[Sequence[Path]] = ()
    generators: ClassVar[Sequence[str] | None] = None
    representatives: ClassVar[Sequence[str] | None] = None
    environment: ClassVar[Mapping[str, str]] = {}
    patience: ClassVar[float] = 20.0

    _subjects: ClassVar[dict[type, ProviderSubject]] = {}

    @property
    def server(self) -> Server | None:
        """A new server that plays the provider's side, not started; asked for by each check.

        None, unless it is overridden: an emulator made from the specification's tests.
        """
        return None

    @property
    def subject(self) -> ProviderSubject:
        """The provider, read once for all checks of a class."""
        kind: type[Any] = type(self)
        if kind not in self._subjects:
            own = kind.server is not ProviderConformance.server
            self._subjects[kind] = ProviderSubject(
                provider=self.provider,
                specs=self.specs,
                server=(lambda: kind().server) if own else None,
                generators=self.generators,
                representatives=self.representatives,
                environment=self.environment,
                patience=self.patience,
            )
        return self._subjects[kind]
