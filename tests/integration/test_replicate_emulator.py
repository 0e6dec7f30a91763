"""The emulated Replicate, seen by Replicate's own SDK and as raw HTTP."""

import asyncio
import io
import json
import re
import tarfile
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from aiohttp import web
from attrs import evolve
from PIL import Image
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.pagination import paginate
from replicate.webhook import Webhooks, WebhookSigningSecret

from boards.testing.emulators import media
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.replicate.files import download_signature
from boards.testing.emulators.replicate.webhooks import signature
from boards.testing.emulators.server import Knobs, running

FAST = Knobs(queue_seconds=0.02, run_seconds=0.1)
SLOW = Knobs(queue_seconds=0.02, run_seconds=30)
FLUX = "black-forest-labs/flux-schnell"
LLAMA = "meta/meta-llama-3-8b-instruct"
CREATE = f"/v1/models/{FLUX}/predictions"
CAT = {"input": {"prompt": "a cat"}}


@pytest.fixture
async def emulator() -> AsyncIterator[ReplicateEmulator]:
    """An emulator on the test's own loop."""
    started = ReplicateEmulator(FAST)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def api(emulator: ReplicateEmulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a credential."""
    headers = {"Authorization": "Bearer r8_test"}
    async with httpx.AsyncClient(
        base_url=emulator.base_url, headers=headers, verify=False, timeout=60
    ) as client:
        yield client


@pytest.fixture
def threaded() -> Iterator[ReplicateEmulator]:
    """An emulator on a thread, for the synchronous SDK."""
    with running(ReplicateEmulator(FAST)) as started:
        yield started


@pytest.fixture
def sdk(threaded: ReplicateEmulator) -> Iterator[Client]:
    """Replicate's SDK, pointed at the emulator by the environment that this asks for."""
    env = threaded.env
    client = Client(env["REPLICATE_API_TOKEN"], base_url=env["REPLICATE_BASE_URL"])
    client.poll_interval = 0.02
    yield client
    client._client.close()


async def finished(api: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """A prediction once it has ended."""
    async with asyncio.timeout(5):
        while True:
            document: dict[str, Any] = (await api.get(url)).json()
            if document["status"] not in {"starting", "processing"}:
                return document
            await asyncio.sleep(0.01)


async def made(api: httpx.AsyncClient, path: str = CREATE, **given: Any) -> dict[str, Any]:
    """The finished prediction of an input."""
    reply = await api.post(path, json={"input": given})
    assert reply.status_code == 201, reply.text
    return await finished(api, reply.json()["urls"]["get"])


async def made_by(api: httpx.AsyncClient, model: str, **given: Any) -> dict[str, Any]:
    """The finished prediction of a community model, run by its version."""
    document = (await api.get(f"/v1/models/{model}")).json()
    version = document["latest_version"]["id"]
    reply = await api.post("/v1/predictions", json={"version": version, "input": given})
    assert reply.status_code == 201, reply.text
    return await finished(api, reply.json()["urls"]["get"])


class TestSDK:
    """What Replicate's own SDK does."""

    def test_runs_a_model_in_both_forms_of_a_waiting_create(self, sdk: Client) -> None:
        """The outputs come first as data URIs, then as URLs."""
        given = {"prompt": "a cat", "seed": 3, "num_outputs": 2, "output_format": "png"}
        inline = sdk.run(FLUX, input=given)
        hosted = sdk.run(FLUX, input=given, use_file_output=False)
        assert isinstance(inline, list)
        assert isinstance(hosted, list)
        assert len(inline) == len(hosted) == 2
        fetched = [httpx.get(url).content for url in hosted]
        assert [output.read() for output in inline] == fetched
        with Image.open(io.BytesIO(fetched[0])) as picture:
            assert picture.format == "PNG"

    def test_polls_a_prediction_and_reads_its_progress(
        self, sdk: Client, threaded: ReplicateEmulator
    ) -> None:
        """The logs grow by lines in the manner of tqdm."""
        threaded.knobs = evolve(FAST, run_seconds=0.5)
        version = sdk.models.get("stability-ai/sdxl").latest_version
        assert version is not None
        prediction = sdk.predictions.create(version=version.id, input={"prompt": "a cat"})
        assert (prediction.status, prediction.logs, prediction.output) == ("starting", "", None)
        seen = []
        while prediction.status not in {"succeeded", "failed"}:
            prediction.reload()
            if prediction.progress:
                seen.append(prediction.progress.percentage)
            time.sleep(0.02)
        assert seen == sorted(seen)
        assert len(set(seen)) > 3
        assert seen[-1] == 1.0
        assert prediction.metrics is not None
        assert prediction.metrics["predict_time"] == pytest.approx(0.5)

    def test_streams_a_text_model(self, sdk: Client) -> None:
        """The events make up the text, and the last one says that it is done."""
        events = list(sdk.stream(LLAMA, input={"prompt": "cats", "seed": 1}))
        assert [event.event.value for event in events[-2:]] == ["output", "done"]
        assert events[-1].data == "{}"
        text = "".join(map(str, events))
        assert text.startswith("You asked about cats.")
        assert re.fullmatch(r"\d{10}:0", events[0].id)

    def test_a_failed_stream_raises_the_error(
        self, sdk: Client, threaded: ReplicateEmulator
    ) -> None:
        """The SDK turns the error event into an exception."""
        threaded.knobs = evolve(FAST, fail_every=1)
        with pytest.raises(RuntimeError, match="high demand"):
            list(sdk.stream(LLAMA, input={"prompt": "cats"}))

    def test_uploads_a_file_and_uses_it(self, sdk: Client) -> None:
        """A file handle in the input becomes the URL of an upload."""
        prediction = sdk.models.predictions.create(
            "black-forest-labs/flux-fill-pro",
            input={"prompt": "a hat", "image": io.BytesIO(media.image("x", 1).content)},
        )
        uploaded = sdk.files.list()
        assert len(uploaded) == 1
        assert prediction.input is not None
        assert prediction.input["image"] == uploaded[0].urls["get"]
        assert sdk.files.get(uploaded[0].id) == uploaded[0]
        prediction.wait()
        assert prediction.status == "succeeded"
        assert sdk.files.delete(uploaded[0].id)
        assert sdk.files.list() == []

    def test_cancels_a_prediction(self, sdk: Client, threaded: ReplicateEmulator) -> None:
        """The logs are gone then, as they are at Replicate."""
        threaded.knobs = SLOW
        prediction = sdk.models.predictions.create(FLUX, input={"prompt": "a cat"})
        prediction.cancel()
        assert (prediction.status, prediction.logs, prediction.output) == ("canceled", None, None)
        assert prediction.completed_at is not None

    def test_a_failed_model_is_an_error_with_its_text(
        self, sdk: Client, threaded: ReplicateEmulator
    ) -> None:
        """Content policy reads as it does on official models."""
        threaded.knobs = evolve(FAST, moderate_every=1)
        with pytest.raises(ModelError, match=r"flagged as sensitive.*\(E005\)"):
            sdk.run(FLUX, input={"prompt": "a cat"})

    def test_trains_a_model_and_runs_it(self, sdk: Client, threaded: ReplicateEmulator) -> None:
        """The new version exists once the training has succeeded."""
        threaded.knobs = evolve(FAST, strict=True)
        sdk.models.create("emulator", "cats", visibility="private", hardware="gpu-t4")
        base = sdk.models.get("stability-ai/sdxl").latest_version
        assert base is not None
        training = sdk.trainings.create(
            model="stability-ai/sdxl",
            version=base.id,
            input={"input_images": "https://example.com/cats.zip"},
            destination="emulator/cats",
        )
        assert training.urls is not None
        assert "/v1/predictions/" in training.urls["get"]
        assert sdk.models.get("emulator/cats").latest_version is None
        while training.status not in {"succeeded", "failed"}:
            time.sleep(0.02)
            training.reload()
        assert "/v1/trainings/" in training.urls["get"]
        assert training.output is not None
        weights = httpx.get(training.output["weights"]).content
        with tarfile.open(fileobj=io.BytesIO(weights)) as archive:
            assert archive.getnames() == ["output/lora.safetensors"]
        assert sdk.run(training.output["version"], input={"prompt": "TOK"})
        assert [item.id for item in sdk.trainings.list()] == [training.id]

    def test_reads_models_versions_hardware_and_account(self, sdk: Client) -> None:
        """The documents have the shape that the SDK's types ask for."""
        model = sdk.models.get("suno-ai/bark")
        assert model.latest_version is not None
        version = model.versions.get(model.latest_version.id)
        assert [item.id for item in model.versions.list()] == [version.id]
        assert "history_prompt" in version.openapi_schema["components"]["schemas"]
        pages = list(paginate(sdk.models.list))
        assert [len(page) for page in pages] == [25, sum(map(len, pages)) - 25]
        assert pages[1].previous is not None
        assert "openai/whisper" in {f"{m.owner}/{m.name}" for page in pages for m in page}
        found = {model.name for model in sdk.models.search("image upscale")}
        assert found == {"image-upscale"}
        assert sdk.hardware.list()[0].sku == "cpu"
        assert sdk.accounts.current().username == "emulator"

    def test_runs_a_deployment(self, sdk: Client) -> None:
        """It runs the version it was made with."""
        version = sdk.models.get("nightmareai/real-esrgan").latest_version
        assert version is not None
        sdk.deployments.create(
            name="upscaler",
            model="nightmareai/real-esrgan",
            version=version.id,
            hardware="gpu-t4",
            min_instances=0,
            max_instances=1,
        )
        deployment = sdk.deployments.get("emulator/upscaler")
        prediction = deployment.predictions.create({"image": "https://example.com/a.png"})
        prediction.wait()
        assert (prediction.status, prediction.version) == ("succeeded", version.id)

    def test_bad_input_is_a_replicate_error(self, sdk: Client) -> None:
        """The SDK reads the problem body."""
        with pytest.raises(ReplicateError) as raised:
            sdk.run(FLUX, input={})
        assert (raised.value.status, raised.value.title) == (422, "Input validation failed")


class TestProblems:
    """Refusals, with their exact bodies."""

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic x"}])
    async def test_no_credential(
        self, emulator: ReplicateEmulator, headers: dict[str, str]
    ) -> None:
        """401, without rate limit headers."""
        async with httpx.AsyncClient(
            base_url=emulator.base_url, headers=headers, verify=False, timeout=60
        ) as client:
            reply = await client.get("/v1/account")
        assert reply.status_code == 401
        assert reply.headers["content-type"].startswith("application/problem+json")
        assert "ratelimit-remaining" not in reply.headers
        assert reply.json() == {
            "title": "Unauthenticated",
            "detail": "You did not pass a valid authentication token",
            "status": 401,
        }

    async def test_only_the_key_of_the_knobs_is_accepted(
        self, emulator: ReplicateEmulator, api: httpx.AsyncClient
    ) -> None:
        """Either scheme carries it."""
        emulator.knobs = evolve(FAST, key="r8_right")
        assert (await api.get("/v1/account")).status_code == 401
        for scheme in ("Bearer", "Token"):
            headers = {"Authorization": f"{scheme} r8_right"}
            assert (await api.get("/v1/account", headers=headers)).status_code == 200

    async def test_no_credit(self, api: httpx.AsyncClient, emulator: ReplicateEmulator) -> None:
        """402, and no job."""
        headers = {"Authorization": "Bearer r8_nocredit"}
        reply = await api.post(CREATE, json=CAT, headers=headers)
        assert (reply.status_code, reply.json()["title"]) == (402, "Insufficient credit")
        assert emulator.stats["jobs"] == 0

    async def test_missing_input(self, api: httpx.AsyncClient) -> None:
        """Told at the object that lacks it."""
        reply = await api.post(CREATE, json={"input": {}})
        assert reply.status_code == 422
        assert reply.json() == {
            "detail": "- input: prompt is required\n",
            "status": 422,
            "title": "Input validation failed",
            "invalid_fields": [
                {"type": "required", "field": "input", "description": "prompt is required"}
            ],
        }

    async def test_value_outside_an_enumeration_and_others(self, api: httpx.AsyncClient) -> None:
        """One line and one entry for each."""
        given = {"prompt": 7, "num_outputs": 9, "output_format": "tiff", "unknown": 1}
        body = (await api.post(CREATE, json={"input": given})).json()
        described = {
            "input.prompt": "Invalid type. Expected: string, given: integer",
            "input.num_outputs": "Must be less than or equal to 4",
            "input.output_format": (
                'output_format must be one of the following: "webp", "jpg", "png"'
            ),
        }
        fields = {item["field"]: item["description"] for item in body["invalid_fields"]}
        assert fields == described
        assert sorted(body["detail"].splitlines()) == sorted(
            f"- {field}: {text}" for field, text in described.items()
        )
        assert {item["type"] for item in body["invalid_fields"]} == {
            "invalid_type",
            "number_lte",
            "enum",
        }

    async def test_a_path_is_no_uri(self, api: httpx.AsyncClient) -> None:
        """File inputs are URLs or data URIs."""
        given = {"prompt": "a cat", "image": "cat.png"}
        path = "/v1/models/black-forest-labs/flux-dev/predictions"
        body = (await api.post(path, json={"input": given})).json()
        assert body["invalid_fields"][0] == {
            "type": "format",
            "field": "input.image",
            "description": "Does not match format 'uri'",
        }

    async def test_model_instead_of_version(self, api: httpx.AsyncClient) -> None:
        """A body key that does not belong is refused."""
        reply = await api.post("/v1/predictions", json={"model": FLUX, **CAT})
        assert reply.status_code == 422
        assert reply.json() == {
            "detail": "- version is required\n- Additional property model is not allowed\n",
            "status": 422,
            "title": "Input validation failed",
            "invalid_fields": [
                {"type": "required", "field": "", "description": "version is required"},
                {
                    "type": "additional_property_not_allowed",
                    "field": "",
                    "description": "Additional property model is not allowed",
                },
            ],
        }

    @pytest.mark.parametrize(
        "version", ["nobody/nothing:latest", "stability-ai/sdxl", "0" * 64, "a b", "no/thing"]
    )
    async def test_a_version_that_cannot_be_run(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator, version: str
    ) -> None:
        """Community models need a version, and unknown ones do not exist when strict."""
        emulator.knobs = evolve(FAST, strict=True)
        reply = await api.post("/v1/predictions", json={"version": version, **CAT})
        assert reply.status_code == 422
        assert reply.json() == {
            "title": "Invalid version or not permitted",
            "detail": "The specified version does not exist "
            "(or perhaps you don't have permission to use it?)",
            "status": 422,
        }

    async def test_things_that_do_not_exist(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """404 with a problem body; also a community model on the model route."""
        emulator.knobs = evolve(FAST, strict=True)
        assert (await api.get("/v1/models/foo/bar")).json() == {
            "title": "Not Found",
            "detail": "Model not found: foo/bar",
            "status": 404,
        }
        replies = [
            await api.post("/v1/models/stability-ai/sdxl/predictions", json=CAT),
            await api.post("/v1/deployments/a/b/predictions", json=CAT),
            await api.get("/v1/predictions/none"),
            await api.post("/v1/predictions/none/cancel"),
            await api.get("/v1/files/none"),
            await api.get("/v1/no/such/route"),
        ]
        assert [reply.status_code for reply in replies] == [404] * len(replies)
        assert {reply.headers["content-type"].split(";")[0] for reply in replies} == {
            "application/problem+json"
        }
        version = (await api.get("/v1/models/stability-ai/sdxl")).json()["latest_version"]["id"]
        reply = await api.post(
            f"/v1/models/stability-ai/sdxl/versions/{version}/trainings",
            json={"destination": "me/none", "input": {"input_images": "https://a.b/c.zip"}},
        )
        assert reply.json() == {
            "detail": "The specified training destination does not exist",
            "status": 404,
        }

    async def test_throttling_tells_until_when_in_two_ways(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """In the body, then in a header."""
        emulator.knobs = evolve(FAST, rate_limit_every=1)
        first, second = [await api.post(CREATE, json=CAT) for _ in range(2)]
        assert first.status_code == second.status_code == 429
        assert first.json() == {
            "detail": "Request was throttled. Your rate limit resets in ~1s.",
            "status": 429,
            "retry_after": 1,
        }
        assert "retry-after" not in first.headers
        assert second.headers["retry-after"] == "1"
        assert "retry_after" not in second.json()

    async def test_webhooks_elsewhere_need_https(self, api: httpx.AsyncClient) -> None:
        """Plain HTTP is for the loopback interface."""
        reply = await api.post(CREATE, json={**CAT, "webhook": "http://example.com/hook"})
        assert reply.json()["invalid_fields"][0]["field"] == "webhook"


class TestLife:
    """What happens to a prediction."""

    async def test_create_answers_the_input_sorted_and_the_links(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """An official model hides its version."""
        emulator.knobs = SLOW
        reply = await api.post(CREATE, json={"input": {"seed": 7, "prompt": "a cat"}})
        body = reply.json()
        assert list(body["input"]) == ["prompt", "seed"]
        assert re.fullmatch(r"[0-9a-v]{26}", body["id"])
        assert re.fullmatch(r"[-\dT:]{19}\.\d{3}Z", body["created_at"])
        url = f"{emulator.base_url}/v1/predictions/{body['id']}"
        assert body["urls"] == {
            "get": url,
            "cancel": f"{url}/cancel",
            "web": f"https://replicate.com/p/{body['id']}",
        }
        assert (body["status"], body["version"], body["model"]) == ("starting", "hidden", FLUX)
        assert reply.headers["ratelimit-remaining"] == "599"
        read = await api.get(url)
        assert read.headers["ratelimit-remaining"] == "59999"
        assert re.fullmatch(r"[-\dT:]{19}\.\d{6}Z", read.json()["created_at"])
        assert read.json()["metrics"] == {}

    async def test_version_is_taken_in_every_form(self, api: httpx.AsyncClient) -> None:
        """By id, by name and id, and by name alone where it is official."""
        document = (await api.get(f"/v1/models/{FLUX}")).json()
        version = document["latest_version"]["id"]
        for reference, shown in ((version, version), (f"{FLUX}:{version}", version), (FLUX, None)):
            reply = await api.post("/v1/predictions", json={"version": reference, **CAT})
            assert reply.json()["version"] == (shown or "hidden")
            assert reply.json()["model"] == FLUX

    async def test_an_unknown_model_runs_a_stock_one(self, api: httpx.AsyncClient) -> None:
        """Under its own name, with any input, into a picture."""
        reply = await api.post("/v1/predictions", json={"version": "f" * 64, "input": {"x": 1}})
        assert reply.json()["version"] == "f" * 64
        body = await made(api, "/v1/models/some/one/predictions", prompt="a", width=96, height=64)
        assert body["model"] == "some/one"
        with Image.open(io.BytesIO((await api.get(body["output"][0])).content)) as picture:
            assert picture.size == (96, 64)

    async def test_waiting_is_answered_in_two_forms(self, api: httpx.AsyncClient) -> None:
        """`processing` with a filled output, then `succeeded`."""
        headers = {"Prefer": "wait=5"}
        replies = [await api.post(CREATE, json=CAT, headers=headers) for _ in range(2)]
        assert [reply.status_code for reply in replies] == [201, 201]
        assert {reply.headers["preference-applied"] for reply in replies} == {"wait=5"}
        quirk, plain = (reply.json() for reply in replies)
        assert (quirk["status"], plain["status"]) == ("processing", "succeeded")
        assert quirk["output"][0].startswith("data:image/webp;base64,")
        assert plain["output"][0].startswith("http")
        assert replies[0].headers["location"] == quirk["urls"]["get"]
        assert (await finished(api, quirk["urls"]["get"]))["status"] == "succeeded"

    async def test_waiting_in_vain_is_answered_as_starting(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """Even where it runs by then."""
        emulator.knobs = SLOW
        reply = await api.post(CREATE, json=CAT, headers={"Prefer": "wait=1"})
        assert (reply.status_code, reply.json()["status"]) == (201, "starting")
        assert (await api.get(reply.json()["urls"]["get"])).json()["status"] == "processing"

    async def test_cancel_changes_nothing_that_has_ended(self, api: httpx.AsyncClient) -> None:
        """200 with the same document."""
        body = await made(api, prompt="a cat")
        assert (await api.post(body["urls"]["cancel"])).json() == body

    async def test_a_deadline_in_the_queue_aborts_free_of_charge(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """Given as a header or in the body."""
        emulator.knobs = evolve(FAST, queue_seconds=20)
        header = await api.post(CREATE, json=CAT, headers={"Cancel-After": "0.05s"})
        field = await api.post(CREATE, json={**CAT, "lifetime": "0.05s"})
        for reply in (header, field):
            assert reply.json()["deadline"] > reply.json()["created_at"]
            body = await finished(api, reply.json()["urls"]["get"])
            assert (body["status"], body["started_at"]) == ("aborted", None)
            assert list(body["metrics"]) == ["total_time"]
        assert (emulator.stats["jobs"], emulator.stats["charged"]) == (2, 0)

    async def test_a_deadline_while_running_cancels(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """That one is charged."""
        emulator.knobs = SLOW
        reply = await api.post(CREATE, json={**CAT, "lifetime": "0.1s"})
        body = await finished(api, reply.json()["urls"]["get"])
        assert body["status"] == "canceled"
        assert emulator.stats["charged"] == 1
        refused = await api.post(CREATE, json={**CAT, "lifetime": "soon"})
        assert refused.json()["invalid_fields"][0]["field"] == "lifetime"

    async def test_data_is_removed_after_a_while(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """The prediction stays, its output and the file do not."""
        body = await made(api, prompt="a cat")
        assert (await api.get(body["output"][0])).status_code == 200
        emulator.knobs = evolve(FAST, expire_seconds=0)
        gone = (await api.get(body["urls"]["get"])).json()
        assert (gone["status"], gone["data_removed"], gone["output"]) == ("succeeded", True, None)
        assert (await api.get(body["output"][0])).status_code == 404

    async def test_outputs_need_no_credential_and_resume(self, api: httpx.AsyncClient) -> None:
        """They are served as by a delivery network."""
        url = (await made(api, prompt="a cat"))["output"][0]
        async with httpx.AsyncClient(verify=False) as anyone:
            whole = await anyone.get(url)
            part = await anyone.get(url, headers={"Range": "bytes=100-"})
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["access-control-allow-origin"] == "*"
        assert (part.status_code, part.content) == (206, whole.content[100:])

    async def test_outputs_can_be_named_under_another_host(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """The path stays."""
        emulator.knobs = evolve(FAST, output_host="https://replicate.delivery")
        url = (await made(api, prompt="a cat"))["output"][0]
        assert url.startswith("https://replicate.delivery/delivery/")

    async def test_a_lost_file_fails_the_model(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """As the container says when it cannot fetch its input."""
        image = f"{emulator.base_url}/v1/files/none"
        path = "/v1/models/black-forest-labs/flux-fill-pro/predictions"
        body = await made(api, path, prompt="a hat", image=image)
        assert body["status"] == "failed"
        assert body["error"].startswith("Input validation error: 404 Client Error: Not Found")

    async def test_predictions_are_listed_newest_first_in_pages(
        self, api: httpx.AsyncClient
    ) -> None:
        """A hundred a page, with links both ways, and by time."""
        ids = [(await api.post(CREATE, json=CAT)).json()["id"] for _ in range(103)]
        first = (await api.get("/v1/predictions")).json()
        second = (await api.get(first["next"])).json()
        assert [item["id"] for item in first["results"] + second["results"]] == ids[::-1]
        assert (first["previous"], second["next"]) == (None, None)
        assert (await api.get(second["previous"])).json()["results"][0]["id"] == ids[-1]
        since = second["results"][0]["created_at"]
        late = await api.get("/v1/predictions", params={"created_after": since})
        assert 0 < len(late.json()["results"]) < 103
        assert (await api.get("/v1/predictions?cursor=bad!")).status_code == 404

    async def test_a_lost_reply_leaves_a_prediction_behind(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """It is listed, and charged."""
        emulator.knobs = evolve(FAST, lose_replies_every=1)
        with pytest.raises(httpx.RemoteProtocolError):
            await api.post(CREATE, json=CAT)
        assert len((await api.get("/v1/predictions")).json()["results"]) == 1
        assert emulator.stats["charged"] == 1

    async def test_a_signed_download_of_a_file(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """HMAC of owner, id and expiry; anything else is refused."""
        reply = await api.post(
            "/v1/files",
            files={"content": ("a.txt", b"abc", "text/plain")},
            data={"metadata": json.dumps({"k": 1})},
        )
        document = reply.json()
        assert reply.status_code == 201
        assert (document["size"], document["metadata"]) == (3, {"k": 1})
        assert document["etag"] == document["checksums"]["md5"]
        expiry = int(time.time()) + 60
        query: dict[str, str | int] = {
            "owner": "emulator",
            "expiry": expiry,
            "signature": download_signature("emulator", document["id"], expiry),
        }
        url = f"{emulator.base_url}/v1/files/{document['id']}/download"
        async with httpx.AsyncClient(verify=False) as anyone:
            assert (await anyone.get(url, params=query)).content == b"abc"
            assert (await anyone.get(url, params={**query, "owner": "me"})).status_code == 403


class TestOutputs:
    """Every model answers in the shape of its own schema."""

    async def test_every_shipped_model_runs(self, api: httpx.AsyncClient) -> None:
        """With nothing but its required inputs."""
        found: list[dict[str, Any]] = []
        url: str | None = "/v1/models"
        while url:
            listed = (await api.get(url)).json()
            found, url = found + listed["results"], listed["next"]
        assert len(found) >= 39
        created = []
        for document in found:
            schema = document["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]
            uri = "https://example.com/a.png"
            given = {
                name: {"array": [uri], "string": "a cat"}[described["type"]]
                if described.get("format") != "uri"
                else uri
                for name in schema.get("required", [])
                if (described := schema["properties"][name])
            }
            version = document["latest_version"]["id"]
            reply = await api.post("/v1/predictions", json={"version": version, "input": given})
            assert reply.status_code == 201, (document["name"], reply.text)
            created.append(reply.json()["urls"]["get"])
        bodies = [await finished(api, url) for url in created]
        assert {body["status"] for body in bodies} == {"succeeded"}
        assert all(body["output"] for body in bodies)

    @pytest.mark.parametrize(
        ("given", "size", "opened"),
        [
            ({"aspect_ratio": "16:9", "output_format": "jpg"}, (683, 384), "JPEG"),
            ({"megapixels": "0.25", "output_format": "png"}, (256, 256), "PNG"),
        ],
    )
    async def test_inputs_shape_the_picture(
        self,
        api: httpx.AsyncClient,
        given: dict[str, str],
        size: tuple[int, int],
        opened: str,
    ) -> None:
        """Proportions, scale and format."""
        output = (await made(api, prompt="a cat", num_outputs=3, **given))["output"]
        assert len(output) == 3
        with Image.open(io.BytesIO((await api.get(output[2])).content)) as picture:
            assert (picture.size, picture.format) == (size, opened)

    async def test_the_same_seed_gives_the_same_picture(self, api: httpx.AsyncClient) -> None:
        """And no seed another one each time."""
        seeds: list[dict[str, Any]] = [{"seed": 1}, {"seed": 1}, {}, {}]
        urls = [(await made(api, prompt="a cat", **seed))["output"][0] for seed in seeds]
        files = [(await api.get(url)).content for url in urls]
        assert files[0] == files[1]
        assert len(set(files)) == 3

    async def test_a_video_has_the_duration_that_was_asked_for(
        self, api: httpx.AsyncClient
    ) -> None:
        """In the header of the film, at 12 frames a second."""
        path = "/v1/models/kwaivgi/kling-v2.1-master/predictions"
        body = await made(api, path, prompt="a cat", duration=10)
        film = (await api.get(body["output"])).content
        at = film.index(b"mvhd") + 16
        scale, duration = (int.from_bytes(film[at + i : at + i + 4], "big") for i in (0, 4))
        assert duration / scale == 10

    async def test_object_outputs_have_their_parts(self, api: httpx.AsyncClient) -> None:
        """Bark speaks, Demucs separates, SAM masks, Whisper writes."""
        uri = "https://example.com/a.wav"
        bark = (await made_by(api, "suno-ai/bark", prompt="hello"))["output"]
        with wave.open(io.BytesIO((await api.get(bark["audio_out"])).content)) as file:
            assert file.getnframes() > 0
        stems = (await made_by(api, "cjwbw/demucs", audio=uri))["output"]
        assert [name for name, url in stems.items() if url] == ["bass", "drums", "other", "vocals"]
        masks = (await made_by(api, "meta/sam-2", image=uri))["output"]
        assert len(masks["individual_masks"]) == 3
        words = (await made_by(api, "openai/whisper", audio=uri))["output"]
        assert words["detected_language"] == "english"
        assert words["segments"][0]["text"] == words["transcription"]
        assert words["translation"] is None

    async def test_text_grows_while_it_is_written(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """A list of chunks, and the figures of a language model."""
        emulator.knobs = evolve(FAST, run_seconds=0.3)
        reply = await api.post(f"/v1/models/{LLAMA}/predictions", json={"input": {"prompt": "a"}})
        url, lengths = reply.json()["urls"]["get"], []
        while (body := (await api.get(url)).json())["status"] != "succeeded":
            lengths.append(len(body["output"] or []))
            await asyncio.sleep(0.02)
        assert lengths == sorted(lengths)
        assert len(set(lengths)) > 3
        assert body["metrics"]["output_token_count"] == len(body["output"]) > max(lengths)

    async def test_a_canceled_stream_says_so(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator
    ) -> None:
        """In its last event."""
        emulator.knobs = SLOW
        reply = await api.post(f"/v1/models/{LLAMA}/predictions", json={"input": {"prompt": "a"}})
        urls = reply.json()["urls"]
        reading = asyncio.create_task(api.get(urls["stream"]))
        await asyncio.sleep(0.1)
        await api.post(urls["cancel"])
        stream = await reading
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.text.endswith('data: {"reason": "canceled"}\n\n')


class Receiver:
    """Takes webhooks, and answers with the next of some statuses."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Keep a call."""
        self.calls.append((dict(request.headers), await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def until(self, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """The bodies, once there are enough."""
        async with asyncio.timeout(5):
            while not enough(bodies := [json.loads(body) for _, body in self.calls]):
                await asyncio.sleep(0.01)
        return bodies


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks on the loopback interface."""
    taken = Receiver()
    app = web.Application()
    app.router.add_post("/hook", taken.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    taken.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?job=7"
    yield taken
    await runner.cleanup()


def ended(bodies: list[dict[str, Any]]) -> bool:
    """Whether the last body is terminal."""
    return bool(bodies) and bodies[-1]["status"] in {"succeeded", "failed", "canceled"}


class TestWebhooks:
    """What is sent, when, and how it is signed."""

    def test_the_signature_is_that_of_standard_webhooks(self) -> None:
        """By the vector of Replicate's own tests."""
        assert (
            signature(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1614265330,
                b'{"test": 2432232314}',
            )
            == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        )

    async def test_the_sdk_accepts_the_signature(
        self, api: httpx.AsyncClient, receiver: Receiver
    ) -> None:
        """With the secret of the API; a changed body is refused."""
        await api.post(CREATE, json={**CAT, "webhook": receiver.url})
        await receiver.until(ended)
        key = (await api.get("/v1/webhooks/default/secret")).json()["key"]
        secret = WebhookSigningSecret(key=key)
        headers, body = receiver.calls[-1]
        Webhooks.validate(headers=headers, body=body.decode(), secret=secret, tolerance=60)
        with pytest.raises(ValueError, match="signature"):
            Webhooks.validate(headers=headers, body=body.decode() + " ", secret=secret)

    async def test_without_a_filter_output_and_end_are_told(
        self, api: httpx.AsyncClient, receiver: Receiver
    ) -> None:
        """The last body is what a read answers."""
        reply = await api.post(CREATE, json={**CAT, "webhook": receiver.url})
        bodies = await receiver.until(ended)
        assert [body["status"] for body in bodies] == ["processing", "succeeded"]
        assert bodies[0]["output"] == bodies[1]["output"]
        assert bodies[-1] == (await api.get(reply.json()["urls"]["get"])).json()
        assert bodies[-1]["webhook"] == receiver.url

    async def test_the_filter_chooses(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator, receiver: Receiver
    ) -> None:
        """Logs come at most every half second."""
        emulator.knobs = evolve(FAST, run_seconds=0.9)
        wanted = {"webhook": receiver.url, "webhook_events_filter": ["start", "logs", "completed"]}
        await api.post(CREATE, json={**CAT, **wanted})
        bodies = await receiver.until(ended)
        assert [body["status"] for body in bodies] == ["processing", "processing", "succeeded"]
        assert len(bodies[0]["logs"]) < len(bodies[1]["logs"]) < len(bodies[2]["logs"])
        assert bodies[1]["output"] is None

    async def test_only_the_end_is_repeated_with_the_same_id(
        self, api: httpx.AsyncClient, receiver: Receiver
    ) -> None:
        """Until it is taken."""
        receiver.statuses = [500, 500]
        await api.post(CREATE, json={**CAT, "webhook": receiver.url})
        bodies = await receiver.until(lambda bodies: len(bodies) == 3)
        assert [body["status"] for body in bodies] == ["processing", "succeeded", "succeeded"]
        ids = [headers["webhook-id"] for headers, _ in receiver.calls]
        assert ids[0] != ids[1] == ids[2]

    async def test_a_cancel_is_told_at_once(
        self, api: httpx.AsyncClient, emulator: ReplicateEmulator, receiver: Receiver
    ) -> None:
        """Not only when it would have ended."""
        emulator.knobs = SLOW
        reply = await api.post(CREATE, json={**CAT, "webhook": receiver.url})
        await api.post(reply.json()["urls"]["cancel"])
        assert [body["status"] for body in await receiver.until(ended)] == ["canceled"]
