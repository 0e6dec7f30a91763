"""A recorded reply has no secret in it, and still leads where it led."""

import base64

import pytest

from boards.testing.fixtures.scrubbing import Scrubber

KEY = "r8_AbCdEf0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"bad key {KEY}",
        f"https://acme.test/x?key={KEY}",
        base64.b64encode(KEY.encode()).decode(),
        f"Basic {base64.b64encode(KEY.encode()).decode()}",
        f"https://somebody:{KEY}@acme.test/x",
    ],
)
def test_a_key_is_gone_wherever_it_stands(text: str) -> None:
    """In whatever form."""
    scrubbed = Scrubber([KEY]).value({"detail": [text]})
    assert KEY not in str(scrubbed)
    assert base64.b64encode(KEY.encode()).decode() not in str(scrubbed)


@pytest.mark.parametrize(
    ("url", "scrubbed"),
    [
        ("https://a.test/jobs/7/status?logs=1", "https://a.test/jobs/7/status?logs=1"),
        ("https://a.test/f?X-Amz-Signature=ab&X-Amz-Expires=3600",
         "https://a.test/f?X-Amz-Signature=scrubbed&X-Amz-Expires=3600"),
        ("https://a.test/f?sig=ab&token=cd", "https://a.test/f?sig=scrubbed&token=scrubbed"),
        ("https://a.test/f?x=0123456789abcdef", "https://a.test/f?x=scrubbed"),
        ("https://a.test/meta-llama-3-70b-instruct-v2/jobs",
         "https://a.test/meta-llama-3-70b-instruct-v2/jobs"),
        ("https://a.test/xezq/0aB1cD2eF3gH4iJ5kL6mN7oP/out.png",
         "https://a.test/xezq/scrubbed-1/out.png"),
        ("https://a.test/00f24bfe-9f62-4b10-a7a7-0a8b0c1f3d5e.png", "https://a.test/scrubbed-1.png"),
        ("https://user:pass@a.test/x", "https://a.test/x"),
    ],
)  # fmt: skip
def test_what_gives_access_is_gone_from_addresses(url: str, scrubbed: str) -> None:
    """Names, numbers and the rest stay."""
    assert Scrubber().text(url) == scrubbed


def test_equal_parts_stay_equal() -> None:
    """So that an address in one reply is that of another request."""
    token = "0aB1cD2eF3gH4iJ5kL6mN7oP"
    scrubber = Scrubber()
    one = scrubber.text(f"https://a.test/{token}/status")
    assert scrubber.text(f"https://a.test/{token}/result") == one.replace("status", "result")
    assert scrubber.text(f"https://a.test/{token[::-1]}/status") != one


def test_a_jobs_id_stays() -> None:
    """It gives access to nothing without a key, and the spec asks for it."""
    id_ = "764cabcf-b745-4b3e-ae38-1200304cf45b"
    url = f"https://a.test/requests/{id_}/status"
    assert Scrubber(known=[id_]).text(url) == url


@pytest.mark.parametrize(
    "name",
    [
        "token", "access_token", "accessToken", "api_key", "apiKey", "api-key", "webhook_secret",
        "sig", "SecretAccessKey", "secret_key", "aws_access_key_id", "privateKey",
    ],
)  # fmt: skip
def test_values_under_names_of_secrets_are_gone(name: str) -> None:
    """Texts only: a count of tokens is none."""
    assert Scrubber().value({name: "abc", "design": "abc", "tokens": 7, "n": {name: 3}}) == {
        name: "scrubbed", "design": "abc", "tokens": 7, "n": {name: 3},
    }  # fmt: skip


def test_tokens_and_addresses_of_people_are_gone_from_texts() -> None:
    """A JSON Web Token, and e-mail."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhYmMifQ.c2lnbmF0dXJl"
    found = Scrubber().text(f"{token} of ann@example.org")
    assert found == "scrubbed of somebody@example.com"


def test_files_and_long_texts_become_short() -> None:
    """A file is still one, of its type."""
    encoded = base64.b64encode(bytes(6000)).decode()
    scrubber = Scrubber()
    assert scrubber.value([encoded, f"data:image/png;base64,{encoded}"]) == [
        "ZmlsZQ==", "data:image/png;base64,ZmlsZQ==",
    ]  # fmt: skip
    assert len(scrubber.text("word " * 9000)) == 2000


def test_an_emulators_addresses_become_the_providers_own() -> None:
    """A fixture is tested where nothing is emulated."""
    scrubber = Scrubber(
        moved={
            "http://127.0.0.1:1/queue": "https://queue.fal.run",
            "http://127.0.0.1:1": "https://fal.run",
        }
    )
    assert scrubber.text("http://127.0.0.1:1/queue/x") == "https://queue.fal.run/x"
    assert scrubber.text("http://127.0.0.1:1/files/y") == "https://fal.run/files/y"
    assert scrubber.text("http://127.0.0.1:12/y") == "http://127.0.0.1:12/y"
