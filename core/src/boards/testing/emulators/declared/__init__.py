"""Any provider, played from its spec alone: its fixtures, its schemas and its rules.

The other emulators are written by hand and know nothing of the specs. This one knows nothing else:
it cannot tell whether a spec is right about a provider, but it can be had in no time, for an author
to develop against::

    emulator = DeclaredEmulator(name, provider_spec, generator_specs, knobs)
    emulator = DeclaredEmulator.of(boards.registry, "acme", knobs)
    emulator = DeclaredEmulator.of_files(["acme.yaml"], knobs)
"""

from boards.testing.emulators.declared.emulator import DeclaredEmulator

__all__ = ["DeclaredEmulator"]
