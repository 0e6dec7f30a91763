"""Which bucket a host's environment describes; what it must not be; how light the plugin is."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from boards.errors import SettingsError
from boards.settings import load
from boards_s3 import Bucket, Keys
from boards_s3.environment import bucket_of

NAME = {"BOARDS_S3_BUCKET": "studio"}
AWS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "aws-secret", "AWS_SESSION_TOKEN": "t"}


def described(home: Path, **environment: str) -> Bucket:
    return bucket_of(load(home=home, environment=environment))


def test_the_name_is_enough(tmp_path: Path) -> None:
    """Then it is Amazon's, and the keys are those of the machine."""
    bucket = described(tmp_path, **NAME)
    assert bucket == Bucket("studio", region="us-east-1", path_style=False, public=True)
    assert bucket.config()["endpoint"] == "https://studio.s3.us-east-1.amazonaws.com"
    assert bucket.keys is None


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Own variables come before those that all clients of S3 know."""
    own = {
        "BOARDS_S3_PREFIX": "/team/boards/",
        "BOARDS_S3_REGION": "eu-central-1",
        "BOARDS_S3_ENDPOINT": "https://s3.example.com/",
        "BOARDS_S3_PATH_STYLE": "0",
        "BOARDS_S3_PUBLIC": "off",
        "BOARDS_S3_ACCESS_KEY_ID": "own",
        "BOARDS_S3_SECRET_ACCESS_KEY": "own-secret",
    }
    others = {**AWS, "AWS_REGION": "us-west-2", "AWS_ENDPOINT_URL": "https://other.example.com"}
    bucket = described(tmp_path, **NAME, **own, **others)
    assert bucket == Bucket(
        "studio",
        prefix="team/boards",
        region="eu-central-1",
        endpoint="https://s3.example.com",
        path_style=False,
        public=False,
        keys=Keys("own", "own-secret"),
    )
    assert bucket.key("x") == "team/boards/x"
    assert bucket.config()["endpoint"] == "https://studio.s3.example.com"


def test_the_usual_variables_do(tmp_path: Path) -> None:
    """Those that Amazon's own client reads."""
    more = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"}
    bucket = described(tmp_path, **NAME, **AWS, **more)
    assert (bucket.region, bucket.endpoint) == ("eu-west-1", "http://127.0.0.1:9000")
    assert bucket.keys == Keys("AKID", "aws-secret", "t")
    assert bucket.path_style
    assert "aws-secret" not in repr(bucket)


@pytest.mark.parametrize(
    ("endpoint", "public"),
    [
        (None, True),
        ("https://s3.example.com", True),
        ("http://s3.example.com", False),
        ("https://minio", False),
        ("https://minio.internal", False),
        ("http://127.0.0.1:9000", False),
        ("http://10.0.0.8:9000", False),
        ("https://8.8.8.8", True),
    ],
)
def test_addresses_are_given_only_of_servers_that_look_public(
    endpoint: str | None, public: bool
) -> None:
    """A provider would be sent to an address that it cannot reach."""
    assert Bucket("studio", endpoint=endpoint).public is public


def test_a_dot_in_the_name_keeps_it_out_of_the_host() -> None:
    """No certificate of Amazon's fits such a host."""
    assert Bucket("my.studio").path_style
    assert Bucket("my.studio").config()["endpoint"] == "https://s3.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "does not know into which bucket"),
        ({"BOARDS_S3_BUCKET": "a/../b"}, "no name of a bucket"),
        ({"BOARDS_S3_BUCKET": "x"}, "no name of a bucket"),
        ({**NAME, "BOARDS_S3_PREFIX": "a/../b"}, "the prefix has '..'"),
        ({**NAME, "BOARDS_S3_PREFIX": "a//b"}, "the prefix has ''"),
        ({**NAME, "BOARDS_S3_REGION": "eu/../"}, "no region"),
        ({**NAME, "BOARDS_S3_ENDPOINT": "s3.example.com"}, "no address"),
        (
            {**NAME, "BOARDS_S3_ENDPOINT": "https://u:hidden-pw@s3.example.com"},
            "more than a scheme",
        ),
        ({**NAME, "BOARDS_S3_ENDPOINT": "https://s3.example.com:99999"}, "port"),
        ({**NAME, "BOARDS_S3_PATH_STYLE": "maybe"}, "expected 1 or 0"),
        ({**NAME, "AWS_ACCESS_KEY_ID": "AKID"}, "AWS_SECRET_ACCESS_KEY is not set"),
        (
            {**NAME, **AWS, "BOARDS_S3_SECRET_ACCESS_KEY": "hidden-pw"},
            "BOARDS_S3_ACCESS_KEY_ID is not set",
        ),
    ],
)
def test_what_cannot_be_is_refused(environment: dict[str, str], told: str, tmp_path: Path) -> None:
    """By the name of the variable, with a remedy, and without any secret."""
    with pytest.raises(SettingsError) as raised:
        described(tmp_path, **environment)
    assert told in raised.value.message
    assert raised.value.remedy
    assert "hidden-pw" not in f"{raised.value} {raised.value.remedy}"


def test_listing_plugins_loads_no_client() -> None:
    """The module that every listing imports is light, and so is the package."""
    script = (
        "import sys, boards_s3.plugin as plugin\n"
        "[record] = plugin.boards_storages()\n"
        "print(record.name, [one for one in ('obstore', 'aiohttp', 'yaml') if one in sys.modules])"
    )
    listed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert listed.stdout == "s3 []\n"


def test_the_clients_own_variables_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not said in the host's settings is not taken from the process behind its back."""
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_REGION": "mars-1",
        "AWS_BUCKET": "another",
        "AWS_ACCESS_KEY_ID": "another",
        "AWS_SESSION_TOKEN": "another",
    }.items():
        monkeypatch.setenv(name, value)
    from boards_s3 import S3Storage

    bucket = described(tmp_path, **NAME, BOARDS_S3_REGION="eu-west-1", **AWS)
    config: Any = S3Storage(bucket)._connected().config
    assert config["region"] == "eu-west-1"
    assert config["bucket"] == "studio"
    assert "127.0.0.1" not in str(config)
