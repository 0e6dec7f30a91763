"""The server that plays a provider from its spec: see :class:`DeclaredEmulator`."""

import asyncio
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from boards.spec.compile import CompiledGenerator, CompiledSubmit
from boards.spec.model import GeneratorSpec, ProviderSpec
from boards.testing.emulators.declared import credentials, live, services
from boards.testing.emulators.declared.addresses import is_url, localized, plain
from boards.testing.emulators.declared.answers import Answer, satisfying
from boards.testing.emulators.declared.asked import Asked, Route
from boards.testing.emulators.declared.desk import Desk, Expected, File
from boards.testing.emulators.declared.plan import Fit, Plan
from boards.testing.emulators.declared.reading import Bound, Part, UnlikeError
from boards.testing.emulators.declared.served import Served
from boards.testing.emulators.declared.sources import in_files, installed
from boards.testing.emulators.declared.stories import Story
from boards.testing.emulators.declared.tasks import Task
from boards.testing.emulators.declared.webhooks import Sender
from boards.testing.emulators.delivery import deliver
from boards.testing.emulators.server import DEFAULT_KNOBS, Emulator, Knobs

if TYPE_CHECKING:
    from boards.registry import Registry

KEY: Final = "emulator-key"
"""The credential in :attr:`DeclaredEmulator.env` where the knobs name no other."""
_NO_CREDENTIALS: Final = "The credentials are missing or wrong."
_NOT_SENT: Final = frozenset({"content-length", "transfer-encoding", "connection"})


class DeclaredEmulator(Emulator):
    """A provider's side, played from its spec: routes, credentials, jobs, errors and outputs.

    It answers in the shapes that the fixtures show, and in those that the spec reads where they
    show none. Ids and addresses are each job's own, outputs are real media. A request that the spec
    could not have sent is refused.

    A provider's hosts are the first steps of paths here: ``https://api.acme.example/v1`` is
    ``BASE_URL/api.acme.example/v1``.

    Args:
        name: Of the provider.
        provider: Its definition.
        generators: Its generators, as they were checked.
        knobs: How it behaves.
    """

    def __init__(
        self,
        name: str,
        provider: ProviderSpec,
        generators: Sequence[GeneratorSpec],
        knobs: Knobs = DEFAULT_KNOBS,
    ) -> None:
        super().__init__(knobs)
        self.name = name
        self.provider = provider
        self.public_url = ""
        """The base address in ``config`` and in replies, where it is not its own: of a proxy in
        front of it. Set it before the first request."""
        self._compiled = [CompiledGenerator(one, name, provider) for one in generators]
        self._sender = Sender(KEY)
        self._known_as = ""

    @classmethod
    def of(
        cls, registry: "Registry", provider: str, knobs: Knobs = DEFAULT_KNOBS
    ) -> "DeclaredEmulator":
        """The emulator of a provider that a host knows, with all its generators.

        Args:
            registry: Of the host: ``Boards().registry``.
            provider: The instance's name.
            knobs: How it behaves.

        Raises:
            NotFoundError: There is no such provider.
            SpecError: A generator has mistakes.
        """
        source = installed(registry, provider)
        return cls(source.name, source.provider, source.generators, knobs)

    @classmethod
    def of_files(
        cls, paths: Sequence[Path | str], knobs: Knobs = DEFAULT_KNOBS
    ) -> "DeclaredEmulator":
        """The emulator of the provider that some YAML files are of.

        Args:
            paths: Files of the generator language; what they do not define is taken from what is
                installed.
            knobs: How it behaves.

        Raises:
            SpecError: A file has mistakes.
            SettingsError: They are of no provider, or of several.
        """
        source = in_files([Path(one) for one in paths])
        return cls(source.name, source.provider, source.generators, knobs)

    # What a client needs

    @property
    def config(self) -> dict[str, str]:
        """The provider's addresses as they are here, for its ``config``; known once started."""
        found = self.provider.config.items()
        return {name: localized(value, self._here) for name, value in found if is_url(value)}

    @property
    def env(self) -> dict[str, str]:
        """The credentials that are let in, by their variables."""
        spec, key = self.provider, self.knobs.key or KEY
        names = [spec.config.get("api_key_env"), *spec.secrets.values()]
        found = {name: key for name in names if isinstance(name, str)}
        for one in self._compiled:
            verify = one.run.webhook.verify if one.run.webhook is not None else None
            if verify is not None and verify.secret_env is not None:
                found.setdefault(verify.secret_env, self._sender.secret(verify))
        return found

    @property
    def jobs(self) -> int:
        """How many jobs were accepted."""
        return self.stats["jobs"]

    @property
    def tasks(self) -> list[Task]:
        """The accepted jobs, in order."""
        return self._desk.tasks

    @property
    def _here(self) -> str:
        return self.public_url or self.base_url

    # Life

    async def start(self, *, host: str = "127.0.0.1", port: int = 0, tls: bool = False) -> str:
        """Listen, and return the base URL: see :meth:`Emulator.start`."""
        address = await super().start(host=host, port=port, tls=tls)
        self._forget()
        return address

    def reset(self) -> None:
        """Forget all jobs, files and statistics."""
        super().reset()
        self.__dict__.pop("_desk", None)

    def _forget(self) -> None:
        """Read the specs anew: addresses are no longer what they were."""
        self.__dict__.pop("_plan", None)
        self.__dict__.pop("_desk", None)
        self._known_as = self._here

    @cached_property
    def _plan(self) -> Plan:
        return Plan(self.provider, self._compiled, {**self.provider.config, **self.config})

    @cached_property
    def _desk(self) -> Desk:
        here = tuple(dict.fromkeys(one for one in (self._here, self.base_url) if one)) or ("",)
        return Desk(self.provider, self._plan.config, here, self.output_url)

    def output_url(self, path: str) -> str:
        """The URL of an output, given its path from the root (``/...``)."""
        return (self.knobs.output_host or self._here).rstrip("/") + path

    # Requests

    def routes(self) -> list[web.RouteDef]:
        """Everything: which request it is, the spec tells."""
        return [web.route("*", "/{path:.*}", self._answer)]

    def overview(self) -> list[dict[str, Any]]:
        """The routes of the spec, each with what it is for."""
        return self._plan.declared()

    def route_of(self, request: web.Request) -> str:
        """The route of a request as the spec has it; what is about a job, by its role."""
        method, path = request.method, plain(request.rel_url.raw_path)
        if path in self._desk.files:
            return f"{method} (output)"
        expected, fitting = self._desk.expected(method, path), self._plan.fitting(method, path)
        if expected and not any(one.route.role == "submit" for one in fitting):
            return f"{method} ({expected[0].role})"
        return fitting[0].route.pattern if fitting else f"{method} {path}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._known_as != self._here:
            self._forget()
        asked = await Asked.of(request)
        file = self._desk.files.get(asked.path)
        if file is not None and asked.method in ("GET", "HEAD"):
            return self._file(request, asked, file)
        for expected in self._desk.expected(asked.method, asked.path):
            if expected.fits(asked):
                if expected.rendered.authenticated and not self._may(asked):
                    return self._refuse("auth", _NO_CREDENTIALS)
                return await self._expected(request, asked, expected)
        return await self._other(request, asked)

    def _may(self, asked: Asked) -> bool:
        key = self.knobs.key or KEY
        return credentials.accepted(self.provider.auth, asked, self.accepts, key)

    def _refuse(self, kind: str, message: str, by: Served | None = None) -> web.Response:
        return _response(self._plan.errors.answer(kind, message, by))

    async def _other(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """A request that is not about a job that there is."""
        fitting = self._plan.fitting(asked.method, asked.path)
        if not fitting:
            return self._unknown(asked)
        route, by = fitting[0].route, fitting[0].served
        if route.role == "websocket":
            sockets = [one.served for one in fitting if one.served is not None]
            return await live.socket(request, sockets, self.accepts, self._admit)
        if route.spec.auth != "none" and not self._may(asked):
            return self._refuse("auth", _NO_CREDENTIALS, by)
        try:
            fit = self._plan.read(asked, fitting)
        except UnlikeError as error:
            return self._refuse("invalid_input", str(error), by)
        return await self._serve(request, asked, fit)

    def _unknown(self, asked: Asked) -> web.Response:
        told = {
            "error": f"The spec of {self.name} has no {asked.method} {asked.path}, or it is about"
            " a job that there is not.",
            "declared": self.overview(),
        }
        return web.json_response(told, status=404)

    async def _serve(self, request: web.Request, asked: Asked, fit: Fit) -> web.StreamResponse:
        """A request that the spec could have sent."""
        run = fit.served.compiled.run if fit.served is not None else None
        match fit.route.role:
            case "submit" if fit.served is not None:
                return await self._submit(request, asked, fit.served, fit.route, fit.bound)
            case "reconcile" if run is not None and run.reconcile is not None:
                alike = [one for one in self.tasks if one.served.compiled.run.reconcile]
                return _response(services.listed(run.reconcile, alike))
            case "webhook-secret" if run is not None and run.webhook is not None:
                return _response(self._sender.told(run.webhook.verify))
            case "upload":
                return self._upload(fit.bound)
            case "model":
                return self._refuse("not_found", "There are only the models of the spec here.")
        return _response(Answer(body={}))

    def _upload(self, bound: Bound) -> web.Response:
        files = self.provider.files
        assert files is not None  # noqa: S101  # its route is only there with it
        assert files.upload is not None  # noqa: S101  # likewise
        shown = (one.told.uploads.get("init") for one in self._plan.served)
        answer = next((one for one in shown if one is not None), None)
        begun = services.begin_upload(files.upload, answer, bound, self._here, self._plan.config)
        self._desk.begin(begun)
        return _response(begun.answer)

    # Jobs

    async def _submit(
        self, request: web.Request, asked: Asked, served: Served, route: Route, bound: Bound
    ) -> web.StreamResponse:
        turn = self.refuse_create()
        if turn is not None:
            return _response(self._plan.errors.rate_limited(turn, served))
        variant = [one.request.spec for one in served.submits].index(route.spec)
        submit = served.submits[variant]
        key = _idempotency_key(submit, asked, bound)
        if key is not None and key in self._desk.keys:
            return self._again(self._desk.keys[key], submit)
        task = self._admit(served, bound, variant)
        if key is not None:
            self._desk.keys[key] = task
        if task.answers_at_once:
            await asyncio.sleep(max(0.0, task.job.ends - time.monotonic()))
        if task.job.lose_reply:
            return self.lose(request)
        return _response(task.at_once() or task.accepted)

    def _admit(self, served: Served, bound: Bound, variant: int = 0) -> Task:
        """Accept a job."""
        job = self.admit()
        given = {name.removeprefix("input."): value for name, value in bound.items()}
        ending = None
        if job.outcome != "succeed":
            ending = served.ending(job.outcome, self._plan.served)
            if ending is None:
                kind = "moderated" if job.outcome == "moderate" else "provider"
                said = f"The emulator made this job fail: {kind}."
                ending = Story(kind=kind, refused=self._plan.errors.answer(kind, said, served))
        story = served.success(variant, given)
        task = Task(served, job, story, ending, bound, self._here, self._desk)
        self._desk.add(task)
        if task.webhook is not None and served.compiled.run.webhook is not None:
            self.spawn(self._sender.follow(task, self.session))
        return task

    def _again(self, task: Task, submit: CompiledSubmit) -> web.Response:
        """The answer to a submit whose key came before."""
        how = submit.idempotency
        if how is None or how.conflict is None or submit.conflict is None:
            return _response(task.at_once() or task.accepted)
        for seen in task.served.told.errors:
            if submit.conflict(seen.answer.value(), task.scope):
                return _response(task.own(seen.answer))
        answer = satisfying(how.conflict, Answer(409, {}, {}), task.scope)
        return _response(answer or Answer(409, {}, {}))

    async def _expected(
        self, request: web.Request, asked: Asked, expected: Expected
    ) -> web.StreamResponse:
        """A request about a job, or the bytes of an upload."""
        if expected.upload is not None:
            mime = asked.mime or expected.upload.part.mime
            self._desk.keep(expected.upload, Part(asked.content, mime))
            return web.Response()
        if expected.file is not None:
            return self._file(request, asked, expected.file)
        task = expected.task
        assert task is not None  # noqa: S101  # the other two are for uploads and files
        if expected.role == "cancel":
            if task.state() in ("queued", "running"):
                self.finish(task.job, charged=task.state() == "running")
                task.cancel()
            return _response(Answer(body={}))
        if task.canceled and not task.knows_canceled:
            return self._refuse("not_found", "The job was canceled.", task.served)
        if expected.role == "stream":
            return await live.stream(request, task)
        if expected.role == "poll":
            return _response(task.told())
        answer = task.result()
        if answer is None:
            return self._refuse("invalid_input", "There is no result yet.", task.served)
        return _response(answer)

    def _file(self, request: web.Request, asked: Asked, file: File) -> web.Response:
        if file.own and not self._may(asked):
            return self._refuse("auth", _NO_CREDENTIALS)
        if file.since is not None and time.monotonic() > file.since + self.knobs.expire_seconds:
            return self._refuse("not_found", "The output has expired.")
        return deliver(request, file.content, file.mime)


def _idempotency_key(submit: CompiledSubmit, asked: Asked, bound: Bound) -> str | None:
    how = submit.idempotency
    if how is None:
        return None
    if how.header is not None:
        return asked.headers.get(how.header.lower())
    value = bound.get(how.body) if how.body is not None else None
    return value if isinstance(value, str) else None


def _response(answer: Answer) -> web.Response:
    content, mime = answer.content()
    headers = {name: one for name, one in answer.headers.items() if name not in _NOT_SENT}
    headers.setdefault("content-type", mime)
    return web.Response(status=answer.status, body=content, headers=headers)
