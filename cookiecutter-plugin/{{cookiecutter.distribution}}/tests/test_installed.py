"""The host finds the plugin and all that it offers: no test passes where an entry point is gone."""

from pathlib import Path
{% set spec_kinds = "declarative" in cookiecutter.kinds or "python" in cookiecutter.kinds %}

import pytest
{% if spec_kinds %}
from boards.spec.places import Problems
from boards.spec.reader import read_file
{% endif %}
from boards.sync import Boards

{% if spec_kinds %}
import {{ cookiecutter.module }}

{% endif %}
NAME = "{{ cookiecutter.provider }}"
DISTRIBUTION = "{{ cookiecutter.distribution }}"


@pytest.fixture
def boards(tmp_path: Path) -> Boards:
    """A host with nothing of its own: no key, no file, no setting."""
    return Boards(home=tmp_path, environment={})


def offered(boards: Boards, kind: str) -> set[str]:
    """What the host has from this distribution."""
    ours = [one for one in boards.plugins() if one.distribution == DISTRIBUTION]
    return {name for plugin in ours for name in plugin.offers.get(kind, ())}


def test_the_host_finds_nothing_wrong(boards: Boards) -> None:
    """The plugin is listed, and usable."""
    ours = [one for one in boards.plugins() if one.distribution == DISTRIBUTION]
    assert ours
    assert [(one.status, one.error) for one in ours] == [("ok", None)] * len(ours)
{% if spec_kinds and cookiecutter._provider_is_ours %}


def test_the_host_offers_the_provider(boards: Boards) -> None:
    """It can be named, and says how it is set up."""
    assert offered(boards, "providers") == {NAME}
    (entry,) = [one for one in boards.providers() if one.name == NAME]
    assert entry.spec.setup
{% endif %}
{% if spec_kinds %}


def test_the_host_offers_every_generator(boards: Boards) -> None:
    """All that is specified can be generated with."""
    specs = Path({{ cookiecutter.module }}.__file__).parent / "specs"
    specified = {
        generator.id
        for path in specs.glob("*.yaml")
        for generator in read_file(path, Problems()).generators
    }
    assert specified
    assert specified <= offered(boards, "generators")  # there may be some in Python, too
{% endif %}
{% if "storage" in cookiecutter.kinds %}


def test_the_host_offers_the_storage(boards: Boards) -> None:
    """A host can take it by its name."""
    assert offered(boards, "storages") == {NAME}
{% endif %}
{% if "auth" in cookiecutter.kinds %}


def test_the_host_offers_the_auth(boards: Boards) -> None:
    """A host can take it by its name."""
    assert offered(boards, "auths") == {NAME}
{% endif %}
