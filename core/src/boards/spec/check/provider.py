"""A provider by itself: where it is, how credentials go, and defaults for its generators."""

from boards.spec.check.context import BEFORE, Context, place_of
from boards.spec.check.outcomes import check_replies
from boards.spec.check.references import check_template
from boards.spec.check.requests import (
    check_header_names,
    check_reconcile,
    check_request,
    check_shape,
    check_upload,
)
from boards.spec.check.rules import check_rules
from boards.spec.hosts import TrustedHosts, origin
from boards.spec.model import Auth, Files, ProviderSpec
from boards.spec.places import Problems, did_you_mean

__all__ = ["check_provider", "config_of", "secrets_of", "trusted_by"]


def config_of(provider: ProviderSpec) -> frozenset[str] | None:
    """Keys of its config; None for an instance, which has those of its definition too."""
    return frozenset(provider.config) if provider.type == "rest" else None


def secrets_of(provider: ProviderSpec) -> frozenset[str]:
    """Names that ``$secret`` may have."""
    return frozenset({"api_key", *provider.secrets})


def trusted_by(provider: ProviderSpec) -> TrustedHosts | None:
    """Where its requests may go; None for an instance, and where a host could not be read."""
    return TrustedHosts(provider) if provider.type == "rest" and all(provider.hosts) else None


def check_provider(name: str, provider: ProviderSpec, problems: Problems) -> None:
    """Note what is wrong with a provider definition by itself.

    What its generators inherit is checked as far as it does not depend on them.
    """
    if provider.type == "rest":
        if "base_url" not in provider.config:
            problems.error(place_of(provider, "config"), f"provider {name}: config lacks base_url")
        if provider.auth is None:
            problems.error(
                place_of(provider), f"provider {name}: auth is missing; kind: none is a choice too"
            )
    _check_config(provider, problems)
    if provider.auth is not None:
        _check_auth(provider.auth, provider, problems)
    inherited = Context(
        problems,
        config=config_of(provider),
        roots=BEFORE | {"job"},
        trusted=trusted_by(provider),
    )
    after = inherited.with_roots("prev")
    check_header_names(provider.headers, place_of(provider, "headers"), problems)
    for template in provider.headers.values():
        check_template(template, inherited.only(*BEFORE), text=True)
    if provider.cancel is not None:
        check_shape(provider.cancel, after)
    check_reconcile(provider.reconcile, inherited.only(*BEFORE))
    check_replies(provider, inherited)
    of_nobody = inherited.only("config")
    check_request(provider.check, of_nobody)
    if provider.catalog is not None:
        check_request(provider.catalog.model, of_nobody.with_roots("model"))
    if provider.files is not None:
        _check_files(provider.files, of_nobody)


def _check_config(provider: ProviderSpec, problems: Problems) -> None:
    place = place_of(provider, "config")
    base_url = provider.config.get("base_url", "https://example.com")
    if not isinstance(base_url, str) or origin(base_url) is None or set("?#") & set(base_url):
        problems.error(
            place.at("base_url"),
            "base_url is an absolute URL, of scheme, host and path as in "
            f"https://api.example.com/v1, not {base_url!r}",
        )
    if not isinstance(provider.config.get("api_key_env", ""), str):
        problems.error(
            place.at("api_key_env"), "api_key_env is the name of an environment variable"
        )


def _check_auth(auth: Auth, provider: ProviderSpec, problems: Problems) -> None:
    check_rules(auth, problems)
    if auth.kind == "header" and auth.name is not None:
        check_header_names([auth.name], place_of(auth, "name"), problems)
    if auth.issuer is not None and auth.issuer not in provider.secrets and provider.type == "rest":
        near = did_you_mean(auth.issuer, provider.secrets)
        problems.error(
            place_of(auth, "issuer"), f"secrets of the provider has no {auth.issuer!r}{near}"
        )


def _check_files(files: Files, context: Context) -> None:
    if files.upload is not None:
        check_upload(files.upload, context)
    elif "upload" in files.accept:
        context.problems.error(
            place_of(files, "accept"), "files are accepted by upload, and there is no upload:"
        )
