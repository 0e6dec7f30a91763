"""The jobs of an emulator, and the requests that are answered because of them."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import field, frozen

from boards.spec.model import ProviderSpec
from boards.spec.paths import ABSENT
from boards.spec.predicates import same
from boards.spec.requests import Rendered
from boards.spec.tokens import RenderError
from boards.testing.emulators.declared.addresses import local_path, plain
from boards.testing.emulators.declared.asked import Asked
from boards.testing.emulators.declared.reading import Part
from boards.testing.emulators.declared.services import Uploaded
from boards.testing.emulators.declared.tasks import Task
from boards.testing.emulators.media import Media

Role = Literal["poll", "stream", "result", "cancel", "output", "upload"]


@frozen
class File:
    """A file that is served.

    Attributes:
        content: Its bytes.
        mime: Its media type.
        since: When it came, on the monotonic clock; None for one that does not expire.
        own: It is served only with credentials.
    """

    content: bytes = field(repr=False)
    mime: str = "application/octet-stream"
    since: float | None = None
    own: bool = False


@frozen(eq=False)
class Expected:
    """A request that will come because of a job or an upload.

    Attributes:
        role: What it is for.
        rendered: The request, as the spec renders it.
        task: The job; None for an upload.
        file: What an ``output`` is answered with.
        upload: What an ``upload`` belongs to.
    """

    role: Role
    rendered: Rendered
    task: Task | None = None
    file: File | None = None
    upload: Uploaded | None = None

    def fits(self, asked: Asked) -> bool:
        """Whether it is this one; others may have the same method and path."""
        sent = self.rendered
        if any(asked.query.get(name) != value for name, value in sent.query):
            return False
        return sent.json is ABSENT or (asked.json is not ABSENT and same(sent.json, asked.json))


class Desk:
    """What is known of the jobs.

    Args:
        provider: The provider.
        config: Its config, as clients have it.
        here: The base addresses that lead here; the first is the one that is named.
        output_url: The whole address of an output, by its path.
    """

    def __init__(
        self,
        provider: ProviderSpec,
        config: Mapping[str, Any],
        here: tuple[str, ...],
        output_url: Callable[[str], str],
    ) -> None:
        self.tasks: list[Task] = []
        self.keys: dict[str, Task] = {}
        self.files: dict[str, File] = {}
        self._expected: dict[tuple[str, str], list[Expected]] = {}
        self._provider = provider
        self._config = config
        self._here = here
        self._output_url = output_url

    @property
    def here(self) -> str:
        """The base address in replies."""
        return self._here[0]

    def add(self, task: Task) -> None:
        """Know a job, and the requests about it; no others are answered."""
        self.tasks.append(task)
        compiled = task.served.compiled
        requests: dict[Role, Any] = {
            "poll": compiled.poll,
            "stream": compiled.stream,
            "result": compiled.result,
            "cancel": compiled.cancel,
        }
        for role, request in requests.items():
            if request is None:
                continue
            try:
                rendered = request.render(compiled.with_lets(self._scope(task)))
            except RenderError:
                continue  # it needs what an accepted job of this kind does not have
            self.expect(Expected(role, rendered, task))

    def _scope(self, task: Task) -> dict[str, Any]:
        return {**task.scope, "config": self._config}

    def expect(self, expected: Expected) -> None:
        """Answer a request from now on; of several that look alike the newest comes first."""
        rendered = expected.rendered
        path = self._path(rendered.url)
        if rendered.base is not None:
            base = str(self._provider.config.get(rendered.base, "")).rstrip("/")
            path = f"{local_path(base)}{rendered.url}"
        self._expected.setdefault((rendered.method, plain(path)), []).insert(0, expected)

    def expected(self, method: str, path: str) -> list[Expected]:
        """The requests of a method and a path that are answered."""
        return self._expected.get((method, path), [])

    def _path(self, url: str) -> str:
        """The path here of an address, which may be here already."""
        for here in self._here:
            if url.startswith(f"{here}/"):
                return url.removeprefix(here)
        return local_path(url)

    # What comes of jobs and uploads

    def publish(self, task: Task, made: Media, url: str, own: bool) -> str:
        """Serve an output of a job, and return its address.

        Args:
            task: The job.
            made: The output.
            url: The address that a fixture has for it.
            own: It is fetched with credentials.
        """
        host, _, rest = local_path(url).removeprefix("/").partition("/")
        path, number = f"/{host}/{task.token}/{rest}", 1
        while plain(path) in self.files:
            path, number = f"/{host}/{task.token}/{number}/{rest}", number + 1
        self.files[plain(path)] = File(made.content, made.mime, time.monotonic(), own)
        return self._output_url(path)

    def fetchable(self, task: Task, found: Any, made: Media) -> None:
        """Answer the request that fetches an output which has no address of its own."""
        rendered = found.request.render({**self._scope(task), "item": found.value})
        file = File(made.content, made.mime, time.monotonic())
        self.expect(Expected("output", rendered, task, file))

    def begin(self, uploaded: Uploaded) -> None:
        """Wait for the bytes of an upload, or serve them where they came already."""
        if uploaded.put is not None:
            self.expect(Expected("upload", uploaded.put, upload=uploaded))
        else:
            self.keep(uploaded, uploaded.part)

    def keep(self, uploaded: Uploaded, part: Part) -> None:
        """Serve a file that was uploaded."""
        if uploaded.url is not None:
            self.files[plain(self._path(uploaded.url))] = File(part.content, part.mime)
