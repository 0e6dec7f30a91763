"""All requests that a provider's spec could send, but for those about jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from boards.spec.compile import CompiledGenerator
from boards.spec.model import ProviderSpec, RequestSpec
from boards.testing.emulators.declared import synthesis
from boards.testing.emulators.declared.asked import Asked, Route
from boards.testing.emulators.declared.reading import Bound, Reader, UnlikeError
from boards.testing.emulators.declared.served import Refusals, Served


@frozen
class Fit:
    """A request of the spec that one that came may be.

    Attributes:
        route: The request.
        served: The generator that sends it; None for one of the provider.
        bound: What is known of its values.
    """

    route: Route
    served: Served | None
    bound: Bound


class Plan:
    """The requests of a provider and its generators.

    Args:
        provider: The provider.
        compiled: Its generators.
        config: Its config, as clients have it.

    Attributes:
        served: The generators, with what their fixtures tell.
        errors: How the provider says no.
        routes: The requests, those with fewer tokens in their paths first.
    """

    def __init__(
        self,
        provider: ProviderSpec,
        compiled: Sequence[CompiledGenerator],
        config: Mapping[str, Any],
    ) -> None:
        self.provider = provider
        self.config = config
        self.served = [Served.of(one, provider, config) for one in compiled]
        self.errors = Refusals(provider.errors, self.served)
        self._reader = Reader(config=config)
        routes = [*self._of_generators(), *self._of_provider()]
        self.routes = sorted(routes, key=lambda one: len(one[0].path.tokens))

    def _of_generators(self) -> list[tuple[Route, Served | None]]:
        found: list[tuple[Route, Served | None]] = []
        for served in self.served:
            run, socket = served.compiled.run, served.compiled.websocket
            verify = run.webhook.verify if run.webhook is not None else None
            if socket is not None:
                found += self._route("websocket", socket.request.spec, served)
            else:
                for submit in served.submits:
                    found += self._route("submit", submit.request.spec, served)
            found += self._route("reconcile", run.reconcile, served)
            if verify is not None:
                found += self._route("webhook-secret", verify.secret_request, served)
        return found

    def _of_provider(self) -> list[tuple[Route, Served | None]]:
        spec = self.provider
        upload = spec.files.upload if spec.files is not None else None
        return [
            *self._route("upload", upload.init if upload is not None else None),
            *self._route("check", spec.check),
            *self._route("model", spec.catalog.model if spec.catalog is not None else None),
        ]

    def _route(
        self, role: str, request: RequestSpec | None, served: Served | None = None
    ) -> list[tuple[Route, Served | None]]:
        route = Route.of(role, request, self.provider) if request is not None else None
        return [] if route is None else [(route, served)]

    def fitting(self, method: str, path: str) -> list[Fit]:
        """The requests that one may be, by its method and path."""
        found = []
        for route, served in self.routes:
            known = route.fits(method, path, self._reader_of(served))
            if known is not None:
                found.append(Fit(route, served, known))
        return found

    def read(self, asked: Asked, fitting: Sequence[Fit]) -> Fit:
        """Which of the requests one is, with all that it binds.

        Raises:
            UnlikeError: None of them; what the first one lacks.
        """
        wrong: UnlikeError | None = None
        for fit in fitting:
            try:
                bound = fit.route.read(asked, self._reader_of(fit.served), fit.bound)
                if fit.served is not None and fit.route.role == "submit":
                    _check_input(fit.served, bound)
            except UnlikeError as error:
                wrong = wrong or error
                continue
            return evolve(fit, bound=bound)
        assert wrong is not None  # noqa: S101  # the caller has some that fit
        raise wrong

    def declared(self) -> list[dict[str, Any]]:
        """The routes, each with what it is for and the generators whose submit it is."""
        found: dict[tuple[str, str], list[str]] = {}
        for route, served in self.routes:
            names = found.setdefault((route.pattern, route.role), [])
            if served is not None and route.role in ("submit", "websocket"):
                names.append(served.compiled.spec.name)
        for one in self.served:
            for role, request in synthesis.follow_ups(one.compiled).items():
                target = Route.of(role, request, self.provider)
                text = request.url.text if request.url is not None else ""
                pattern = target.pattern if target is not None else f"{request.method} {text}"
                found.setdefault((pattern, role), [])
        return [
            {"route": pattern, "role": role, **({"generators": names} if names else {})}
            for (pattern, role), names in found.items()
        ]

    def _reader_of(self, served: Served | None) -> Reader:
        return self._reader if served is None else served.reader


def _check_input(served: Served, bound: Bound) -> None:
    """Refuse values that the input schema refuses.

    Raises:
        UnlikeError: There is one.
    """
    given = {
        name.removeprefix("input."): value
        for name, value in bound.items()
        if name.startswith("input.") and name.count(".") == 1
    }
    for problem in served.compiled.inputs.problems(given):
        root = problem.where.partition(".")[0].partition("[")[0]
        if root in given:
            raise UnlikeError(problem.where, problem.message)
