"""The server is right, and the specification is wrong in what it says and sends."""

from typing import Final

from tests.conformance.mutants.mutant import Mutant, fixture

_SETUP: Final = "    setup: Create a key at https://acme.example/keys and set ACME_KEY.\n"
_SUBMIT: Final = 'size: "${input.size}"}\n'

OF_REQUESTS: Final = (
    Mutant(
        name="an input is misspelled",
        check="spec-valid",
        tells="did you mean 'width'?",
        old='width: "${input.width}"',
        new='width: "${input.widht}"',
    ),
    Mutant(
        name="a key is not of the language",
        check="spec-valid",
        tells="unknown key 'captures'",
        old="capture: {id: body.job.id}",
        new="captures: {id: body.job.id}",
    ),
    Mutant(
        name="the adapter is not there",
        check="spec-valid",
        tells="cannot be imported",
        generator="speech",
        old="adapter:StudioAdapter",
        new="adapter:StudioAdaptor",
    ),
    Mutant(
        name="nobody says where the key comes from",
        check="documented",
        tells="setup does not name ACME_KEY",
        old=_SETUP,
        new="",
    ),
    Mutant(
        name="the setup does not name the variable",
        check="documented",
        tells="setup does not name ACME_KEY",
        old=_SETUP,
        new=_SETUP.replace(" and set ACME_KEY", ""),
    ),
    Mutant(
        name="the provider has no documentation",
        check="documented",
        tells="docs is no web address",
        old="    docs: https://docs.acme.example\n",
        new="",
    ),
    Mutant(
        name="a generator has no test of success",
        check="fixtures",
        tells="acme/sketch has no test of a success",
        generator="sketch",
        old=fixture("sketched", "sketch"),
        new="",
    ),
    Mutant(
        name="a generator has no test of a failure",
        check="fixtures",
        tells="acme-studio/speech has no test of a failure",
        generator="speech",
        old=fixture("the voice broke", "speech") + fixture("against the content policy", "speech"),
        new="",
    ),
    Mutant(
        name="moderation is not tested",
        check="fixtures",
        tells="acme/easel has no test of a refusal by content policy",
        old=fixture("against the content policy", "easel"),
        new="",
    ),
    Mutant(
        name="a test expects another request",
        check="fixtures-pass",
        tells="the json differs",
        generator="sketch",
        old="json: {prompt: a fox, size: 16}",
        new="json: {prompt: a fox, size: 17}",
    ),
    Mutant(
        name="a test expects another output",
        check="fixtures-pass",
        tells="the meta of output 0 differs",
        old="meta: {seed: 3}}",
        new="meta: {seed: 4}}",
    ),
    Mutant(
        name="the path lacks a letter",
        check="request-as-declared",
        tells="the path differs",
        generator="sketch",
        old="path: /sketches\n        json",
        new="path: /sketche\n        json",
    ),
    Mutant(
        name="a field has another name",
        check="request-as-declared",
        tells="the json differs",
        old='          width: "${input.width}"',
        new='          breadth: "${input.width}"',
    ),
    Mutant(
        name="the key goes into another header",
        check="request-as-declared",
        tells="the header x-acme-key is absent",
        old="name: X-Acme-Key",
        new="name: X-Acme-Token",
    ),
    Mutant(
        name="polls have no key",
        check="auth-required",
        tells="poll, GET",
        old='path: "/jobs/${job.id}", every: 200ms',
        new='path: "/jobs/${job.id}", auth: none, every: 200ms',
    ),
    Mutant(
        name="the key goes to the file store",
        check="generates",
        tells="The output URL answers HTTP 400",
        old="from: url, as: url,",
        new="from: url, as: url, fetch_auth: same_origin,",
    ),
    Mutant(
        name="a key is sent that nobody reads",
        check="lost-submit",
        tells="and the server has 2 jobs",
        generator="sketch",
        old=_SUBMIT,
        new=f"{_SUBMIT}        idempotency: {{header: Idempotency-Key}}\n",
    ),
    Mutant(
        name="a lost job is looked for by another name",
        check="lost-submit",
        tells="and then it is unknown",
        generator="speech",
        old='where: {eq: [ref, "${run.id}"]}',
        new='where: {eq: [take, "${run.id}"]}',
    ),
    Mutant(
        name="cancel goes elsewhere",
        check="cancel",
        tells="the provider answered 404 to the wish to cancel",
        old='cancel: {method: DELETE, path: "/jobs/${job.id}"}',
        new='cancel: {method: DELETE, path: "/jobs/${job.id}/cancel"}',
    ),
    Mutant(
        name="the provider is not told where to call",
        check="webhook-valid",
        tells="does not tell the provider where to call",
        old='          callback_url: "${run.webhook_url?}"\n',
        new="",
    ),
)
