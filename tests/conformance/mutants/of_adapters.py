"""The server and the specification are right, and the adapter is not."""

from typing import Final

from tests.conformance.mutants.mutant import HANGS, Mutant


def _studio(adapter: str, check: str, tells: str, patience: float = 20.0) -> Mutant:
    """The studio has another adapter."""
    return Mutant(
        name=adapter,
        check=check,
        tells=tells,
        generator="speech",
        old="tests.conformance.plugin.adapter:StudioAdapter",
        new=f"tests.conformance.plugin.broken:{adapter}",
        patience=patience,
    )


def _easel(adapter: str, check: str, tells: str) -> Mutant:
    """The easel has an adapter, although it needs none."""
    old = "    display_name: Acme\n"
    new = f"{old}    adapter: tests.conformance.plugin.broken:{adapter}\n"
    return Mutant(name=adapter, check=check, tells=tells, old=old, new=new)


OF_ADAPTERS: Final = (
    _studio("Undecoded", "generates", "whose bytes are a text"),
    _studio("Unsigned", "generates", "(invalid_input: HTTP 400)"),
    _studio("Embellishing", "request-as-declared", "priority"),
    _studio("Narrow", "unknown-status", "a phase that does not exist"),
    _studio("Consoling", "success-without-outputs", "is succeeded although"),
    _studio("Soothing", "failure-reported", "Something went wrong"),
    _studio("Hopeful", "auth-refused", "after a submit that was answered 401"),
    _studio("Anonymous", "auth-required", "poll, GET"),
    _easel("Downloading", "auth-required", "were sent to a foreign host"),
    _studio("Impatient", "rate-limited", "after a 429 with Retry-After: 1"),
    _studio("Insistent", "lost-submit", "it was sent 2 times"),
    _studio("Resigned", "poll-survives", "The studio is broken"),
    _studio("Unstoppable", "cancel", "was to be asked to cancel", HANGS),
    _studio("Unstoppable", "deadline", "runs on at the provider"),
    _studio("Waiting", "deadline", "is waiting after", HANGS),
    _easel("Pasting", "output-type", "with a web page for image"),
    _easel("Cropping", "output-too-large", "more bytes than the host allows"),
    _easel("Downloading", "output-expired", "The output is empty"),
    _easel("Downloading", "output-redirect", "the credentials followed a redirect"),
    _studio("Talkative", "secrets", "a credential is in the log"),
    _studio("Revealing", "secrets", "a credential is in the generation"),
    _studio("Trusting", "webhook-wrong", "changed after it was signed was believed"),
    _studio("Forgetful", "resume", "is waiting after", HANGS),
    _studio("Nameless", "ids-distinct", "two jobs of acme-studio/speech have one id: take_1"),
    _studio("Sharing", "concurrency", " at once"),
)
