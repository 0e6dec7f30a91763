"""The server is right, and the specification misreads what it says."""

from typing import Final

from tests.conformance.mutants.mutant import HANGS, Mutant

_POLICY: Final = "{when: {eq: [body.job.problem.code, content_policy]}, raise: %s}"
_VERIFY: Final = (
    "verify: {kind: hmac_sha256, secret_env: ACME_STUDIO_SECRET, header: X-Acme-Signature}"
)


def _rule(name: str, check: str, tells: str, rule: str) -> Mutant:
    """An error rule too many, before all others."""
    old = "    errors:\n"
    return Mutant(name=name, check=check, tells=tells, old=old, new=f"{old}      - {rule}\n")


OF_REPLIES: Final = (
    Mutant(
        name="a state is missing",
        check="statuses-total",
        tells="says drawing, which status.map lacks",
        old="drawing: running, ",
        new="",
    ),
    Mutant(
        name="an unknown state ends the job",
        check="unknown-status",
        tells="a status that its spec does not know",
        old="unknown: running",
        new="unknown: fail",
    ),
    Mutant(
        name="the reason is looked for elsewhere",
        check="failure-reported",
        tells="the provider said why",
        old="message: body.job.problem.text\n",
        new="message: body.job.error.text\n",
    ),
    Mutant(
        name="a broken job counts as canceled",
        check="failure-reported",
        tells="is canceled although",
        old="broken: failed",
        new="broken: canceled",
    ),
    Mutant(
        name="a refusal for its content is an ordinary one",
        check="moderation",
        tells="although content policy refused it",
        old=_POLICY % "moderated",
        new=_POLICY % "invalid_input",
    ),
    _rule(
        "a refused key is an outage",
        "auth-refused",
        "after a submit that was answered 401",
        "{when: {status: [401, 403]}, raise: transient}",
    ),
    Mutant(
        name="a bad request is an outage",
        check="error-400",
        tells="transient",
        old="{when: {status: [400, 422]}, raise: invalid_input,",
        new="{when: {status: [400, 422]}, raise: transient,",
    ),
    _rule(
        "a lack of money is a bad input",
        "error-402",
        "invalid_input",
        "{when: {status: 402}, raise: invalid_input}",
    ),
    Mutant(
        name="what is not there is an outage",
        check="error-404",
        tells="transient",
        old="{when: {status: 404}, raise: not_found,",
        new="{when: {status: 404}, raise: transient,",
    ),
    Mutant(
        name="a refused field is the provider's mistake",
        check="error-422",
        tells="is failed (provider",
        old="{when: {status: [400, 422]}, raise: invalid_input,",
        new="{when: {status: [400, 422]}, raise: provider,",
    ),
    _rule(
        "an outage is a bad input",
        "error-500",
        "invalid_input",
        "{when: {status: 500}, raise: invalid_input}",
    ),
    _rule(
        "whatever breaks was not begun",
        "error-500",
        "was sent 2 times",
        "{when: {status: 500}, raise: transient, refused: true}",
    ),
    _rule(
        "too many requests are a lack of money",
        "rate-limited",
        "quota",
        "{when: {status: 429}, raise: quota}",
    ),
    _rule(
        "a gateway's error means that nothing arrived",
        "lost-submit",
        "a gateway answered 502",
        "{when: {status: 502}, raise: transient, refused: true}",
    ),
    _rule(
        "an outage ends the job",
        "poll-survives",
        "is failed (provider",
        "{when: {status: [500, 502, 503, 504]}, raise: provider}",
    ),
    Mutant(
        name="a withdrawn job is running",
        check="cancel",
        tells="is waiting after",
        patience=HANGS,
        old="withdrawn: canceled",
        new="withdrawn: running",
    ),
    Mutant(
        name="another secret is asked for",
        check="webhook-valid",
        tells="The signing secret of the webhook",
        old="secret_env: ACME_WEBHOOK_SECRET",
        new="secret_env: ACME_STUDIO_SECRET",
    ),
    Mutant(
        name="the call has another shape",
        check="webhook-valid",
        tells="was asked for although a webhook",
        old="tolerance: 5m}, then: accept}",
        new="tolerance: 5m}, then: accept, body_at: body.data}",
    ),
    Mutant(
        name="old calls are believed",
        check="webhook-old",
        tells="signed 1800 s ago was believed",
        old="tolerance: 5m",
        new="tolerance: 48h",
    ),
    Mutant(
        name="replays are not remembered",
        check="webhook-replayed",
        tells="believed twice",
        generator="speech",
        old=_VERIFY,
        new="verify: {kind: none}",
    ),
)
