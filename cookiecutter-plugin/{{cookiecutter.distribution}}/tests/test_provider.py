"""What is specified is right, and its fixtures say so; the provider keeps Boards' promises."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from boards.sync import Boards
from boards.testing import ProviderConformance
from boards.testing.fixtures import run_fixtures

import {{ cookiecutter.module }}

SPECS = Path({{ cookiecutter.module }}.__file__).parent / "specs"
DISTRIBUTION = "{{ cookiecutter.distribution }}"
{% if cookiecutter._open %}
OPEN = {
{% for message in cookiecutter._open %}
    {{ message | tojson }},
{% endfor %}
}
"""Warnings that the document left open. Settle them in the specification, and take them out."""
{% endif %}


class Test{{ cookiecutter.__class }}(ProviderConformance):
    provider = "{{ cookiecutter.provider }}"
{% if not cookiecutter._provider_is_ours %}
    generators = (
{% for name in cookiecutter._generators %}
        "{{ name }}",
{% endfor %}
    )
{% endif %}


def test_the_specifications_have_no_mistakes() -> None:
    """Nor what `boards check` warns of: secrets, addresses that expire, inputs without a use."""
    check = [sys.executable, "-m", "boards.cli", "check", "--json", str(SPECS)]
    ran = subprocess.run(check, capture_output=True, text=True, check=False)
{% if cookiecutter._open %}
    assert [one for one in json.loads(ran.stdout) if one["message"] not in OPEN] == []
{% else %}
    assert json.loads(ran.stdout) == []
{% endif %}


def test_the_fixtures_pass(tmp_path: Path) -> None:
    """Each request is as expected, and each reply is understood."""
    plugins = Boards(home=tmp_path, environment={}).plugins()
    ours = [one for one in plugins if one.distribution == DISTRIBUTION]
    ids = [id_ for plugin in ours for id_ in plugin.offers.get("generators", ())]
    results = asyncio.run(run_fixtures(ids))
    assert {one.generator for one in results} == set(ids)
    assert [str(problem) for one in results for problem in one.problems] == []
