"""Every error that Boards raises, in branches by what the caller can do about it.

An error says what happened, which provider, generator and generation it concerns,
and what to do: ``remedy`` is a command to run or a setting to change.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from attrs import frozen

if TYPE_CHECKING:
    from boards.generations import Generation
    from boards.runs import PipelineRun

__all__ = [
    "PROVIDER_ERROR_KINDS",
    "RETRYABLE_KINDS",
    "AuthError",
    "BoardsError",
    "BudgetError",
    "ClaimedError",
    "ConflictError",
    "Failure",
    "GenerationCanceledError",
    "GenerationError",
    "GenerationFailedError",
    "GenerationUnresolvedError",
    "InvalidInputError",
    "NotFoundError",
    "PipelineError",
    "PluginError",
    "Problem",
    "ProviderError",
    "ProviderErrorKind",
    "SettingsError",
    "SpecError",
    "StorageError",
    "StoreError",
    "UnavailableError",
    "WebhookError",
]

ProviderErrorKind = Literal[
    "rate_limited",
    "transient",
    "timeout",
    "auth",
    "quota",
    "invalid_input",
    "moderated",
    "not_found",
    "provider",
    "untrusted_url",
    "expired",
]
"""What went wrong at a provider: the closed list of the generator language, section 4."""

PROVIDER_ERROR_KINDS: tuple[ProviderErrorKind, ...] = get_args(ProviderErrorKind)

RETRYABLE_KINDS: frozenset[ProviderErrorKind] = frozenset({"rate_limited", "transient", "timeout"})
"""Kinds for which the same request may succeed later."""


@frozen
class Problem:
    """One mistake in a document or an input.

    Attributes:
        where: A field (``prompt``, ``loras[0].scale``) or a place (``specs/flux.yaml:12:7``).
        message: What is wrong, and what is allowed.
        source: The line of the document, with a caret under the place; empty for inputs.
    """

    where: str
    message: str
    source: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n{self.source}" if self.source else text


@frozen
class Failure:
    """Why a generation failed, as the store keeps it.

    Attributes:
        kind: One of :data:`PROVIDER_ERROR_KINDS`.
        message: What happened, in the provider's words where it gave any.
        remedy: A command or a setting that mends it; empty where there is none.
        retryable: Whether the same request may succeed later. Nothing repeats it by itself.
        maybe_charged: The provider may have charged for it.
    """

    kind: ProviderErrorKind
    message: str
    remedy: str = ""
    retryable: bool = False
    maybe_charged: bool = False


class BoardsError(Exception):
    """The root of all errors of Boards.

    Args:
        message: What happened and where.
        remedy: A command to run or a setting to change.
        provider: The provider instance concerned, for example ``fal``.
        generator: The full id of the generator, for example ``fal/flux-dev``.
        generation_id: The generation concerned; nothing of it is lost.
    """

    kind: ClassVar[str] = "error"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        provider: str | None = None,
        generator: str | None = None,
        generation_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.provider = provider
        self.generator = generator
        self.generation_id = generation_id

    @property
    def context(self) -> str:
        """Provider, generator and generation in one line, as far as they are known."""
        named = (
            ("provider", self.provider),
            ("generator", self.generator),
            ("generation", self.generation_id),
        )
        return ", ".join(f"{name} {value}" for name, value in named if value)

    def __str__(self) -> str:
        context = self.context
        text = f"{self.message} [{context}]" if context else self.message
        return f"{text}\n{self.remedy}" if self.remedy else text

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON: ``kind``, ``message``, ``remedy`` and what it concerns."""
        return {
            "kind": self.kind,
            "message": self.message,
            "remedy": self.remedy,
            "provider": self.provider,
            "generator": self.generator,
            "generation": self.generation_id,
        }


class _ProblemsError(BoardsError):
    """An error that tells all mistakes at once."""

    def __init__(self, message: str, problems: Sequence[Problem] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        context = f" [{self.context}]" if self.context else ""
        lines = [f"{self.message}{context}", *(f"  {problem}" for problem in self.problems)]
        if self.remedy:
            lines.append(self.remedy)
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        problems = [{"where": one.where, "message": one.message} for one in self.problems]
        return {**super().as_dict(), "problems": problems}


class InvalidInputError(_ProblemsError):
    """The input does not fit the generator: nothing was sent. Change the input."""

    kind = "invalid_input"


class SpecError(_ProblemsError):
    """A document of the generator language has mistakes. Mend the document."""

    kind = "spec"


class SettingsError(BoardsError):
    """A setting has a value that cannot be used. Change the setting."""

    kind = "settings"


class NotFoundError(BoardsError):
    """A generator, provider, generation or artifact of that name does not exist.

    Attributes:
        suggestions: Names that are near, best first.
    """

    kind = "not_found"

    def __init__(self, message: str, *, suggestions: Sequence[str] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.suggestions = tuple(suggestions)


class UnavailableError(BoardsError):
    """No provider that offers the generator can be used now.

    Attributes:
        reasons: For each provider asked: why it cannot be used, and what mends it.
        problems: What is wrong with the input as well, where there was one.
    """

    kind = "unavailable"

    def __init__(
        self,
        message: str,
        *,
        reasons: Mapping[str, tuple[str, str]] | None = None,
        problems: Sequence[Problem] = (),
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.reasons = dict(reasons or {})
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [super().__str__()]
        lines += [
            f"  {provider}: {reason} {remedy}".rstrip()
            for provider, (reason, remedy) in self.reasons.items()
        ]
        if self.problems:
            lines.append("The input does not fit the generator either:")
            lines += [f"  {problem}" for problem in self.problems]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        reasons = {
            provider: {"reason": reason, "remedy": remedy}
            for provider, (reason, remedy) in self.reasons.items()
        }
        problems = [{"where": one.where, "message": one.message} for one in self.problems]
        return {**super().as_dict(), "providers": reasons, "problems": problems}


class ConflictError(BoardsError):
    """The owner has as many generations under way as are allowed: nothing was queued.

    Attributes:
        running: The ids of those that are under way, the oldest first; at most ten.
    """

    kind = "conflict"
    retryable = True

    def __init__(self, message: str, *, running: Sequence[str] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.running = tuple(running)

    def as_dict(self) -> dict[str, Any]:
        return {**super().as_dict(), "running": list(self.running)}


class PluginError(BoardsError):
    """A plugin cannot be used. Raised only in strict mode; otherwise it is listed."""

    kind = "plugin"


class StoreError(BoardsError):
    """The store cannot be read or written: locked, full, read-only, or of a newer version."""

    kind = "store"


class BudgetError(BoardsError):
    """A budget has no room for the price of an attempt; nothing was sent."""

    kind = "budget"


class ClaimedError(BoardsError):
    """A provider's job is another generation's already; nothing was committed."""

    kind = "conflict"


class StorageError(BoardsError):
    """The bytes of an artifact cannot be read or written."""

    kind = "storage"


class ProviderError(BoardsError):
    """A provider refused, failed or answered with something that its spec does not expect.

    Attributes:
        kind: One of :data:`PROVIDER_ERROR_KINDS`.
        status: The HTTP status, where there was a reply.
        retry_after: Seconds that the provider asked to wait.
    """

    kind: ProviderErrorKind  # type: ignore[misc]  # an instance's, of a closed list

    def __init__(
        self,
        kind: ProviderErrorKind,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.kind = kind
        self.status = status
        self.retry_after = retry_after
        self.retryable = kind in RETRYABLE_KINDS


class AuthError(BoardsError):
    """Whoever asks is not known: credentials are missing, wrong or expired. Nothing was done."""

    kind = "unauthenticated"


class WebhookError(BoardsError):
    """A webhook does not prove that it comes from the provider: nothing was done."""

    kind = "webhook"


class GenerationError(BoardsError):
    """A generation ended, or stands, without a result.

    Attributes:
        generation: The generation as the store has it.
    """

    kind = "generation"

    def __init__(self, message: str, generation: "Generation", *, remedy: str = "") -> None:
        super().__init__(
            message,
            remedy=remedy,
            provider=generation.provider,
            generator=generation.generator,
            generation_id=generation.id,
        )
        self.generation = generation


class GenerationFailedError(GenerationError):
    """A generation failed; ``failure`` says how, ``retryable`` whether trying again may help."""

    kind: str = "provider"  # type: ignore[misc]

    def __init__(self, generation: "Generation", failure: Failure) -> None:
        super().__init__(failure.message, generation, remedy=failure.remedy)
        self.failure = failure
        self.kind = failure.kind
        self.retryable = failure.retryable


class GenerationCanceledError(GenerationError):
    """A generation was canceled before it had a result."""

    kind = "canceled"

    def __init__(self, generation: "Generation") -> None:
        super().__init__("The generation was canceled.", generation)


class GenerationUnresolvedError(GenerationError):
    """Nobody can tell whether the provider accepted the submit; it is not sent again by itself."""

    kind = "unknown"

    def __init__(self, generation: "Generation") -> None:
        super().__init__(
            "The provider's answer to the submit was lost: the job may be running and charged.",
            generation,
            remedy=(
                f"Decide with: boards resolve {generation.id} --job JOB_ID | --resubmit | --abandon"
            ),
        )


class PipelineError(BoardsError):
    """A run of a pipeline ended, or stands, without its result.

    Attributes:
        run: The run as the store has it; its steps tell what succeeded.
        kind: Of the failure of the step that the run failed with; ``canceled`` or ``unknown``.
    """

    kind: str = "provider"  # type: ignore[misc]  # an instance's

    def __init__(self, run: "PipelineRun", kind: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.run = run
        self.kind = kind
