"""The kit for auths: a class to subclass, which also says how credentials are made.

.. code-block:: python

    from boards.testing import AuthConformance


    class TestAcmeAuth(AuthConformance):
        auth = "acme"

        def credentials(self, identity):
            return {"authorization": f"Bearer {sign(sub=identity.owner)}"}
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from boards.auth.protocol import Auth, Identity
from boards.testing.conformance.auth_checks import AUTH_CHECKS
from boards.testing.conformance.checks import Conformance, NotApplicable
from boards.testing.conformance.installed import create, own_environment

__all__ = ["AUTH_CHECKS", "AuthConformance"]


class AuthConformance(Conformance, checks=AUTH_CHECKS):
    """Tries an auth. Subclass it in a test module, name the auth, and make its credentials.

    What an auth does not have, such as an expiry, is left as it is here: the checks for it are
    shown as skipped. Credentials hold what counts and nothing else: every value in them is
    changed, and must then be refused. Those that are JSON web tokens are also tampered with, and
    stripped of their signature; the author does nothing for that.

    Attributes:
        auth: The name under which the plugin offers it, or ``package.module:function`` for a
            function of the settings that makes it. Without it, :meth:`make_auth` is overridden.
        identities: Whom credentials can be made for; all different.
        leeway: Seconds by which clocks may differ.
    """

    auth: str = ""
    identities: Sequence[Identity] = (
        Identity("alice", "acme"),
        Identity("bob", "acme"),
        Identity("alice", "umbrella"),
    )
    leeway: float = 0.0

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment in which the auth is made; this process's by default."""
        return own_environment()

    def make_auth(self, folder: Path) -> Auth:
        """A new auth.

        Args:
            folder: An empty directory: the home of the host.

        Raises:
            TypeError: The class does not say which.
        """
        if not self.auth:
            raise TypeError(
                f"{type(self).__name__}: give the auth's name, as in auth = 'acme',"
                " or override make_auth()."
            )
        made: Auth = create("auths", self.auth, folder, self.environment)
        return made

    def credentials(self, identity: Identity) -> Mapping[str, str]:
        """Right credentials of somebody, by the names that the auth looks for."""
        raise TypeError(f"{type(self).__name__}: override credentials(), which makes right ones.")

    def expired(self, identity: Identity, seconds: float) -> Mapping[str, str]:
        """Credentials that expired so many seconds ago; in the future, if negative."""
        raise NotApplicable("its credentials do not expire: there is no expired()")

    def premature(self, identity: Identity, seconds: float) -> Mapping[str, str]:
        """Credentials that begin to count in so many seconds."""
        raise NotApplicable("its credentials count from the start: there is no premature()")

    def for_another_audience(self, identity: Identity) -> Mapping[str, str]:
        """Credentials that are right, but made for another service."""
        raise NotApplicable("its credentials name no audience: no for_another_audience()")

    def by_another_issuer(self, identity: Identity) -> Mapping[str, str]:
        """Credentials that are right, but of an issuer that the auth does not trust."""
        raise NotApplicable("its credentials name no issuer: there is no by_another_issuer()")

    def with_another_key(self, identity: Identity) -> Mapping[str, str]:
        """Credentials that are right, but signed with a key that the auth does not trust."""
        raise NotApplicable("its credentials are not signed: there is no with_another_key()")

    def public_key(self) -> bytes:
        """The key that verifies signatures, as everybody can get it: PEM, for example."""
        raise NotApplicable("it has no public key: there is no public_key()")
