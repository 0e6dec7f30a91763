"""The plugin is right, and the server is not what the documentation says."""

from typing import Final

from tests.conformance.mutants.mutant import HANGS, Mutant


def _server(
    defect: str, check: str, tells: str, generator: str = "easel", patience: float = 20.0
) -> Mutant:
    return Mutant(
        name=defect,
        defect=defect,
        check=check,
        tells=tells,
        generator=generator,
        patience=patience,
    )


OF_SERVERS: Final = (
    _server("never-finishes-well", "generates", "The easel fell over"),
    _server("renamed-the-prompt", "generates", "The field text is missing"),
    _server("tells-one-id-to-all", "generates", "/v1/jobs/job_1 404", patience=HANGS),
    _server("serves-pages-for-pictures", "generates", "The output is text/html, not image"),
    _server("serves-errors-for-pictures", "generates", "The output is text, not image"),
    _server("serves-empty-files", "generates", "The output is empty"),
    _server("forgets-the-pictures", "generates", "its reply has no output"),
    _server("has-a-state-nobody-knows", "statuses-total", "the server says varnishing"),
    _server("finishes-what-it-refuses", "failure-reported", "what it says means success"),
    _server("calls-refusals-faults", "moderation", "although content policy refused it"),
    _server("refuses-without-a-code", "moderation", "This prompt will not do", "sketch"),
    _server("takes-any-key", "auth-refused", "is succeeded with a key"),
    _server("hides-bad-keys", "auth-refused", "(not_found: Not Found) with a key"),
    _server("calls-bad-keys-an-outage", "auth-refused", "(transient: HTTP 500) with a key"),
    _server("ignores-idempotency-keys", "lost-submit", "and the server has 2 jobs"),
    _server("lists-nothing", "lost-submit", "and then it is unknown", "speech"),
    _server("tells-the-end-once", "poll-survives", "is waiting after", patience=HANGS),
    _server("goes-on-after-withdrawal", "cancel", "is succeeded after the provider accepted"),
    _server("signs-nothing-but-the-id", "webhook-valid", "The signature of the webhook is wrong"),
    _server("calls-with-yesterdays-time", "webhook-valid", "s ago; at most 300 s"),
    _server("calls-without-the-pictures", "webhook-valid", "after a webhook that told"),
    _server("mixes-up-jobs", "concurrency", "some got those of others"),
    _server("gives-one-id-to-all", "ids-distinct", "two jobs of acme/easel have one id"),
)
