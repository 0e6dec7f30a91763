"""Ways to break a plugin that was made of the template, each in one place."""

import re
from pathlib import Path

from attrs import frozen

__all__ = ["MUTANTS", "Mutant"]

SPEC = "src/*/specs/*.yaml"
SECRET = "sk-" + "a1B2" * 8
PACKAGES = 'packages = ["src/boards_acme"]'
BOUND = '"boards-core>=0.1,<0.2"'


@frozen
class Mutant:
    """A defect: what stands in a file, and what shall stand there instead."""

    name: str
    file: str
    old: str
    new: str

    def apply(self, project: Path) -> None:
        """Break a plugin; an empty ``old`` takes the file away."""
        (path,) = project.glob(self.file)
        if not self.old:
            path.unlink()
            return
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.old!r} stands {text.count(self.old)} times there"
        path.write_text(text.replace(self.old, self.new))

    @property
    def id(self) -> str:
        """The name as an id of pytest."""
        return re.sub(r"\W+", "-", self.name)


MUTANTS = [
    Mutant("the entry point of the specifications is gone", "pyproject.toml",
           '[project.entry-points."boards.specs"]\nacme = "boards_acme.specs"\n', ""),
    Mutant("the entry point of the hooks is gone", "pyproject.toml",
           '[project.entry-points."boards.plugins"]\nacme = "boards_acme.plugin"\n', ""),
    Mutant("an entry point names another package", "pyproject.toml",
           '"boards_acme.specs"', '"boards_acme.spec"'),
    Mutant("a hook is not marked", "src/*/plugin.py",
           "@hookimpl\ndef boards_auths", "def boards_auths"),
    Mutant("a fixture was edited", SPEC, "json: {text: a fox, seed: 7}",
           "json: {text: a fox, seed: 8}"),
    Mutant("the base URL is another", SPEC, "base_url: https://api.acme.example/v1",
           "base_url: https://api.acme.example/v2"),
    Mutant("the endpoint is another", SPEC, "        path: /images", "        path: /image"),
    Mutant("the status map is wrong", SPEC, "broken: failed", "broken: succeeded"),
    Mutant("a status is unmapped", SPEC, "working: running, ", ""),
    Mutant("a secret stands in the specification", SPEC, "deadline: {queue",
           f"headers: {{X-Trace: {SECRET}}}\n    deadline: {{queue"),
    Mutant("no credentials are sent", SPEC, "auth: {kind: bearer}", "auth: {kind: none}"),
    Mutant("outputs are looked for elsewhere", SPEC, 'from: "body.pictures[*].url"',
           'from: "body.images[*].url"'),
    Mutant("moderation is told as a failure", SPEC,
           "        - {when: {eq: [body.error.code, policy]}, raise: moderated}",
           "        - {when: {eq: [body.error.code, police]}, raise: moderated}"),
    Mutant("a job is asked for elsewhere", SPEC, 'poll: {method: GET, path: "/images/',
           'poll: {method: GET, path: "/jobs/'),
    Mutant("the specification has a mistake", SPEC, "artifact_type: image",
           "artifact_type: picture"),
    Mutant("the adapter has another name", SPEC, "adapter:AcmeAdapter", "adapter:AcmeAdaptor"),
    Mutant("the adapter adds another header", "src/*/adapter.py", '"X-Client"', '"X-Clint"'),
    Mutant("py.typed is gone", "src/*/py.typed", "", ""),
    Mutant("the wheel leaves the specifications out", "pyproject.toml",
           PACKAGES, f'{PACKAGES}\nexclude = ["*.yaml"]'),
    Mutant("the wheel leaves py.typed out", "pyproject.toml",
           PACKAGES, f'{PACKAGES}\nexclude = ["*.typed"]'),
    Mutant("the core has no upper bound", "pyproject.toml", BOUND, '"boards-core>=0.1"'),
    Mutant("the core is another version's", "pyproject.toml", BOUND, '"boards-core>=0.7,<0.8"'),
    Mutant("the storage takes any key", "src/*/storage.py", "KEY.fullmatch(key)",
           'KEY.match(key) or re.match("(.*)", key)'),
    Mutant("the storage shows what is half written", "src/*/storage.py",
           "            os.fsync(file.fileno())\n", "            file.truncate(self.size // 2)\n"),
    Mutant("the auth lets expired tokens in", "src/*/tokens.py",
           "moment.timestamp() <= time.time()", "moment.timestamp() <= 0"),
    Mutant("the auth lets everybody in", "src/*/tokens.py",
           'raise AuthError("The token is unknown.", remedy="Ask for one.")',
           'return Identity(owner="everybody")'),
]  # fmt: skip
