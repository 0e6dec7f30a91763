"""The hooks of this plugin: what it offers to Boards."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from boards.hookspecs import hookimpl
{% if "auth" in cookiecutter.kinds and "storage" in cookiecutter.kinds %}
from boards.records import AuthRecord, StorageRecord
{% elif "auth" in cookiecutter.kinds %}
from boards.records import AuthRecord
{% else %}
from boards.records import StorageRecord
{% endif %}

{% if "storage" in cookiecutter.kinds %}
from {{ cookiecutter.module }}.storage import DirectoryStorage
{% endif %}
{% if "auth" in cookiecutter.kinds %}
from {{ cookiecutter.module }}.tokens import TokenAuth
{% endif %}

if TYPE_CHECKING:
    from boards.settings import Settings
{% if "storage" in cookiecutter.kinds %}


def _storage(settings: "Settings") -> DirectoryStorage:
    directory = settings.secret("{{ cookiecutter.__variable }}_DIRECTORY")
    return DirectoryStorage(Path(directory or settings.home / "{{ cookiecutter.provider }}"))


@hookimpl
def boards_storages() -> Iterable[StorageRecord]:
    """The storage, which a host takes by its name."""
    return [StorageRecord("{{ cookiecutter.provider }}", _storage)]
{% endif %}
{% if "auth" in cookiecutter.kinds %}


def _auth(settings: "Settings") -> TokenAuth:
    file = settings.secret("{{ cookiecutter.__variable }}_TOKENS")
    return TokenAuth(Path(file or settings.home / "tokens.json"))


@hookimpl
def boards_auths() -> Iterable[AuthRecord]:
    """The auth, which a host takes by its name."""
    return [AuthRecord("{{ cookiecutter.provider }}", _auth)]
{% endif %}
