"""What is wrong with an environment's plugins, and the command that mends it."""

from boards.doctor.examining import examine
from boards.doctor.findings import Finding, PluginVersion, Report, Severity

__all__ = ["Finding", "PluginVersion", "Report", "Severity", "examine"]
