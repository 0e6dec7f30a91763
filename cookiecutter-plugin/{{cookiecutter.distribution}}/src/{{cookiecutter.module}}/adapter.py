"""What the specification cannot say, in Python: a stage that is overridden."""

from typing import TYPE_CHECKING

from attrs import evolve
from boards.adapters import Adapter, Job

if TYPE_CHECKING:
    from boards.spec.requests import Rendered

__all__ = ["{{ cookiecutter.__class }}Adapter"]

CLIENT = "{{ cookiecutter.distribution }}"


class {{ cookiecutter.__class }}Adapter(Adapter):
    """Tells the API which client asks. All other stages are the specification's."""

    async def prepare(self, job: Job, request: "Rendered") -> "Rendered":
        """Add a header to each submit, before its credentials are added."""
        prepared = await super().prepare(job, request)
        return evolve(prepared, headers={**prepared.headers, "X-Client": CLIENT})
