"""What the doctor says."""

from collections.abc import Iterable
from typing import Any, Literal

from attrs import asdict, frozen

from boards.discovery import canonical

__all__ = ["Finding", "PluginVersion", "Report", "Severity"]

Severity = Literal["error", "warning", "info"]
"""``error``: something cannot be used; ``warning``: it will bite; ``info``: yours to decide."""


@frozen(kw_only=True)
class Finding:
    """One thing to know.

    Attributes:
        check: What was looked at, as a word for scripts: ``broken``, ``core-version``...
        severity: How bad it is.
        what: What was found.
        where: The distribution with its version, the file, or the setting.
        remedy: The command that mends it.
        distributions: Whose it is; empty where it is the environment's.
    """

    check: str
    severity: Severity
    what: str
    where: str
    remedy: str
    distributions: tuple[str, ...] = ()

    def concerns(self, distributions: Iterable[str]) -> bool:
        """Whether it is about one of these distributions."""
        return not {canonical(one) for one in self.distributions}.isdisjoint(
            canonical(one) for one in distributions
        )


@frozen(kw_only=True)
class PluginVersion:
    """A plugin's distribution.

    Attributes:
        distribution: Its name.
        version: Its version.
        core: The versions of boards-core that it says it works with; empty where it says none.
        location: The directory that it was found in.
        disabled: Whether the settings leave it out.
    """

    distribution: str
    version: str
    core: str
    location: str
    disabled: bool


@frozen(kw_only=True)
class Report:
    """The state of an environment.

    Attributes:
        python: The version of Python, and its executable.
        core: The version of boards-core.
        installer: The words that install into it, ``python -m pip``; empty where nothing does.
        plugins: The distributions.
        findings: What was found, the worst first.
    """

    python: str
    executable: str
    core: str
    installer: str
    plugins: tuple[PluginVersion, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; a key that is missing is not."""
        return all(one.severity == "info" for one in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"ok": self.ok, **asdict(self)}
