"""Finding a job whose submit's reply was lost, among those that the provider lists."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from attrs import evolve

from boards.engine.rest import with_query
from boards.spec.paths import ABSENT

if TYPE_CHECKING:
    from boards.adapters import Job
    from boards.engine.rest import ProviderClient

__all__ = ["matches"]


async def matches(client: "ProviderClient", job: "Job") -> list[dict[str, Any]] | None:
    """What ``reconcile`` captures of every listed job that may be this one.

    Pages are followed by ``next``: an absolute URL, one relative to the page's, or a cursor is
    not guessed at. None where the spec has no ``reconcile``.

    Raises:
        ProviderError: The provider cannot be asked.
    """
    spec = job.compiled.reconcile
    if spec is None:
        return None
    found: list[dict[str, Any]] = []
    rendered = spec.request.render(job.scope)
    for _ in range(spec.max_pages):
        page = await client.repeat(rendered)
        found += spec.matches(page, job.scope)
        following = spec.next(page) if spec.next is not None else ABSENT
        if not isinstance(following, str) or not following:
            break
        here = with_query(client.url(rendered), ())
        rendered = evolve(rendered, url=urljoin(here, following), base=None, query=())
    return found
