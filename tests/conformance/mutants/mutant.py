"""What a mutant is: Acme or its plugin, broken in one way, and the check that has to notice."""

from pathlib import Path
from typing import Final

from attrs import field, frozen

from boards.testing.conformance.provider import ProviderSubject
from tests.conformance.acme import AcmeServer

PLUGIN: Final = Path(__file__).parent.parent / "plugin"
"""The specifications of the plugin."""

HANGS: Final = 1.5
"""The patience with jobs that never end, in seconds."""

PROVIDERS: Final = {"easel": "acme", "sketch": "acme", "speech": "acme-studio"}
"""The provider of each generator; its file has its name."""


@frozen(kw_only=True)
class Mutant:
    """One defect.

    Attributes:
        name: What is wrong.
        check: The check that must fail.
        tells: What the verdict says, in part: it fails for this reason and not by chance.
        generator: The one that it is tried on.
        defect: Of the server.
        old: A text that is in the specification once, and
        new: what stands there instead.
        patience: Seconds within which a generation ends, or hangs.
    """

    name: str
    check: str
    tells: str
    generator: str = "easel"
    defect: str | None = None
    old: str = field(default="", repr=False)
    new: str = field(default="", repr=False)
    patience: float = 20.0

    def __str__(self) -> str:
        return f"{self.check}: {self.name}"

    def subject(self, directory: Path) -> ProviderSubject:
        """The pair with the defect; the specification is written into a directory."""
        source = specification(self.generator)
        text = source.read_text("utf-8")
        if self.old:
            assert text.count(self.old) == 1, f"{text.count(self.old)} times: {self.old}"
            text = text.replace(self.old, self.new)
        file = directory / source.name
        file.write_text(text, "utf-8")
        return ProviderSubject(
            provider=PROVIDERS[self.generator],
            specs=[file],
            server=lambda: AcmeServer(self.defect),
            generators=[self.generator],
            patience=self.patience,
        )


def specification(generator: str) -> Path:
    """The file that defines a generator."""
    return PLUGIN / f"{PROVIDERS[generator]}.yaml"


def fixture(name: str, generator: str) -> str:
    """The text of a test in a specification: from its name to the next one's."""
    text = specification(generator).read_text("utf-8")
    start = text.index(f"      - name: {name}\n")
    ends = [text.find(mark, start) for mark in ("\n      - name: ", "\n\n  - name: ")]
    return text[start : min((end + 1 for end in ends if end > start), default=len(text))]
