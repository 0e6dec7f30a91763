"""Providers emulated on the loopback interface: their HTTP APIs, their quirks, their failures.

An emulator speaks a provider's documented API closely enough for that provider's own SDK,
produces real media files, costs nothing and can be told to misbehave
(`boards.testing.emulators.server.Knobs`). Those written by hand know nothing of the engine, the
specs or the store, so they are an independent opinion of what the provider does. The one in
`declared` is made from a spec: no second opinion, but there at once for any provider.

Needs the extra ``boards-core[emulators]`` (Pillow draws the media, cryptography makes the
throwaway TLS certificate).
"""
