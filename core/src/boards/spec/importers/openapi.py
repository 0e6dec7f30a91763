"""One operation of any OpenAPI 3 document, as a synchronous generator and its provider.

OpenAPI has no word for "ask again until it is done": whether a reply is the result or the receipt
of a job cannot be told from a document, so what is written takes the reply for the result.
https://spec.openapis.org/oas/v3.0.4.html
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urljoin

from attrs import evolve, field, frozen

from boards.errors import SpecError
from boards.spec.importers.generators import generator_name, head, line, succeeding, text_of
from boards.spec.importers.imported import Imported
from boards.spec.importers.inputs import Input, Inputs, inputs_of, named, typed
from boards.spec.importers.media import carrier_of, first_kind, kind_of_mime
from boards.spec.importers.outputs import Outputs, find_outputs, outputs_of
from boards.spec.importers.samples import sample_of
from boards.spec.importers.schemas import Notes, Schemas, types_of
from boards.spec.inputs import FILE_FORMATS, InputSchema
from boards.spec.places import did_you_mean

__all__ = ["import_openapi", "operations"]

_METHODS: Final = ("post", "get", "put", "patch")
_UNWRITTEN: Final = frozenset({"accept", "content-type", "authorization"})
"""Headers that OpenAPI says are no parameters."""
_KEBAB = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TOKEN = re.compile(r"\$\{input\.(\w+)\}")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json\b|\*/\*|text/json\b", re.IGNORECASE)
_EVENTS: Final = ("text/event-stream", "application/x-ndjson", "application/jsonl")
_ONE_TEXT: Final = "the language sends one text for each"


@frozen
class _Operation:
    """One operation, with what its path says for all."""

    path: str
    method: str
    node: Mapping[str, Any]
    item: Mapping[str, Any]

    @property
    def id(self) -> str:
        """``operationId``, or an empty text."""
        return text_of(self.node.get("operationId"))

    @property
    def title(self) -> str:
        """``POST /path``."""
        return f"{self.method.upper()} {self.path}"


@frozen
class _Body:
    """A request's body: the key of the request that writes it, and what that writes."""

    key: str
    media_type: str
    inputs: tuple[Input, ...] = ()
    whole: bool = False
    constraints: Mapping[str, Any] = field(factory=dict)

    def written(self) -> Any:
        """``json``, ``form``, ``multipart`` or ``body`` of the request."""
        if self.whole:
            return self.inputs[0].token
        return {one.key: one.token for one in self.inputs}


def operations(document: Mapping[str, Any]) -> list[str]:
    """The operations of a document, as ``boards import`` names them."""
    return [one.id or one.title for one in _operations(document)]


def import_openapi(
    document: Mapping[str, Any], *, provider: str, name: str, generator: str | None = None
) -> Imported:
    """A generator and a provider from an operation: see :func:`import_model`.

    Args:
        document: OpenAPI 3.0 or 3.1.
        provider: What the provider is to be called.
        name: The operation's ``operationId``, or ``POST /path``; where the document has but one
            operation that makes something, anything.
        generator: The name of the generator.

    Raises:
        SpecError: It is no OpenAPI 3 document, or has no such operation.
    """
    _require_openapi(document)
    notes = Notes()
    schemas = Schemas(document, notes)
    operation = _chosen(document, name)
    body = _body(operation, schemas, notes)
    given = (
        _parameters(operation, schemas, notes, {one.name for one in body.inputs})
        if body
        else (_parameters(operation, schemas, notes, set()))
    )
    inputs = Inputs(
        (*given, *(body.inputs if body else ())), body.constraints if body is not None else {}
    )
    info = document.get("info")
    info = info if isinstance(info, Mapping) else {}
    reply = _reply(operation, schemas, notes)
    summary = line(operation.node.get("summary"))
    described = line(operation.node.get("description")) or summary
    spoken = (operation.path, operation.id, summary, described)
    outputs, accept = _outputs(reply, notes, spoken)
    base_url = _base_url(document, operation, notes)
    submit: dict[str, Any] = {
        "method": operation.method.upper(), "path": _path(operation.path, given)
    }  # fmt: skip
    submit |= _placed(given, "query", "query")
    headers = _placed(given, "header", "headers").get("headers", {})
    if body is not None and body.key == "body" and not body.inputs[0].is_file:
        headers["Content-Type"] = body.media_type
    if reply.media_type and accept != "json":
        headers["Accept"] = reply.media_type
    submit |= {"headers": headers} if headers else {}
    submit |= {body.key: body.written()} if body is not None else {}
    submit |= {"accept": accept} if accept != "json" else {}
    auth, secured = _auth(document, operation, notes)
    notes.add(
        "",
        "OpenAPI cannot say whether a reply is the result or the receipt of a job: the reply of "
        f"{operation.title} is taken for the result; if it is a receipt, add poll and status",
    )
    tags = operation.node.get("tags")
    written = {
        **head(
            name=generator or generator_name(_KEBAB.sub("-", operation.id or operation.title)),
            provider=provider,
            display_name=summary or operation.id or operation.title,
            description=described if described != summary else "",
            docs=_docs(operation.node) or _docs(document),
            tags=[one for one in tags if isinstance(one, str)] if isinstance(tags, list) else (),
            inputs=inputs,
            outputs=outputs,
        ),
        "execution": {"type": "rest", "submit": submit, "extract": outputs.extract},
    }
    tests = _fixtures(operation, submit, inputs, body, outputs, reply, secured, notes)
    version = info.get("version")
    return Imported(
        {**written, "tests": tests} if tests else written,
        notes.kept(),
        str(version) if isinstance(version, str | int | float) else None,
        providers={provider: _provider(document, info, provider, base_url, auth, secured)},
    )


def _require_openapi(document: Mapping[str, Any]) -> None:
    if "swagger" in document:
        raise SpecError(
            f"This is Swagger {document['swagger']}, not OpenAPI 3.",
            remedy="Convert it first, for example with swagger2openapi.",
        )
    version = document.get("openapi")
    if not str(version).startswith("3."):  # 3.1 without quotes is a number in YAML
        if version is None:
            raise SpecError(
                "This is no OpenAPI 3 document: it names no version.",
                remedy="One begins with its version, such as openapi: 3.1.0, "
                "and has info and paths.",
            )
        raise SpecError(f"This is no OpenAPI 3 document: its version is {version!r}.")
    if not isinstance(document.get("paths"), Mapping) or not document["paths"]:
        raise SpecError("This OpenAPI document has no paths: there is no operation to import.")


def _operations(document: Mapping[str, Any]) -> Iterator[_Operation]:
    schemas = Schemas(document, Notes())
    for path, item in document.get("paths", {}).items():
        if isinstance(item, Mapping) and isinstance(item.get("$ref"), str):
            item = schemas.target(item["$ref"])  # noqa: PLW2901  # the same item
        if not isinstance(item, Mapping) or not isinstance(path, str):
            continue
        for method in _METHODS:
            if isinstance(item.get(method), Mapping):
                yield _Operation(path, method, item[method], item)


def _chosen(document: Mapping[str, Any], name: str) -> _Operation:
    found = list(_operations(document))
    wanted = name.lower()
    for chosen in (
        [one for one in found if name and one.id == name],
        [one for one in found if one.title.lower() == wanted],
        [one for one in found if one.path in (name, f"/{name}") and one.method == "post"],
    ):
        if len(chosen) == 1:
            return chosen[0]
        if chosen:
            titles = " and ".join(one.title for one in chosen)
            raise SpecError(
                f"{name!r} is the operationId of {titles}.", remedy=f"Name one: {chosen[0].title!r}"
            )
    posts = [one for one in found if one.method == "post"]
    if len(posts) == 1 and not any(name.upper().startswith(f"{m.upper()} ") for m in _METHODS):
        return posts[0]
    names = [one.id or one.title for one in found]
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    raise SpecError(
        f"There is no operation {name!r}{did_you_mean(name, names)}.",
        remedy=f"Choose one with --operation: {shown}" if names else "",
    )


def _resolved(node: Any, schemas: Schemas) -> Mapping[str, Any]:
    """A parameter, body or reply that may stand elsewhere in the document."""
    found: Mapping[str, Any] = {}
    for _ in range(8):
        found = node if isinstance(node, Mapping) else {}
        if "$ref" not in found:
            return found
        node = schemas.target(found["$ref"])
    return {}


# Parameters


def _parameters(
    operation: _Operation, schemas: Schemas, notes: Notes, taken: set[str]
) -> tuple[Input, ...]:
    """Path, query and header parameters; the operation's win over its path's."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for listed in (operation.item.get("parameters"), operation.node.get("parameters")):
        for one in listed if isinstance(listed, list) else ():
            parameter = _resolved(one, schemas)
            place, key = parameter.get("in"), parameter.get("name")
            if isinstance(place, str) and isinstance(key, str):
                found[place, key] = parameter
    for key in _PLACEHOLDER.findall(operation.path):
        if ("path", key) not in found:
            notes.add(key, "stands in the path and is no parameter: a text is taken")
            found["path", key] = {"schema": {"type": "string"}}
    given = []
    for (place, key), parameter in found.items():
        one = _parameter(place, key, parameter, schemas, notes)
        if one is None:
            continue
        names = named({key: one.schema}, [key] if one.required else [], notes)
        if key not in names:
            continue
        name = names[key]
        if name in taken:
            name = f"{name}_{place}"
            notes.add(name, f"the {place} parameter {key}; the name stands for another input too")
        taken.add(name)
        given.append(evolve(one, name=name))
    return tuple(given)


def _parameter(
    place: str, key: str, parameter: Mapping[str, Any], schemas: Schemas, notes: Notes
) -> Input | None:
    required = parameter.get("required") is True or place == "path"
    if place == "header" and key.lower() in _UNWRITTEN:
        return None
    if place not in ("path", "query", "header"):
        notes.add(key, f"a {place} parameter cannot be sent: it is left out")
        return None
    content = parameter.get("content")
    encoded = isinstance(content, Mapping) and bool(content)
    schema: Any = parameter.get("schema", {"type": "string"})
    if isinstance(content, Mapping) and content:
        schema = _resolved(next(iter(content.values())), schemas).get("schema", {})
    plain = schemas.plain(schema, key)
    if not plain.get("description") and text_of(parameter.get("description")):
        plain["description"] = str(parameter["description"]).strip()
    for name in ("example", "examples"):
        if name in parameter:
            plain |= schemas.plain({name: parameter[name]}, key)
    one = Input(key, key, plain, required, place=place)
    if encoded:
        return typed(evolve(one, filter="json"), notes)
    kinds = types_of(plain)
    if kinds & {"array", "object"}:
        if not required:
            notes.add(key, f"a list or a mapping in the {place}: left out, as {_ONE_TEXT}")
            return None
        notes.add(key, f"a list or a mapping in the {place}: give one text, as {_ONE_TEXT}")
        described = {name: plain[name] for name in ("description",) if name in plain}
        one = evolve(one, schema={"type": "string", **described})
    return _without_file(typed(one, notes, any_address=False), one)


def _without_file(one: Input, original: Input) -> Input:
    """An address in a query stays a text: a file could not go there in any other form."""
    if not one.is_file:
        return one
    default = {"default": original.schema["default"]} if "default" in one.schema else {}
    kept = {name: value for name, value in original.schema.items() if name != "default"}
    return evolve(original, schema={**kept, **default})


def _path(path: str, given: tuple[Input, ...]) -> str:
    tokens = {one.key: one.token for one in given if one.place == "path"}
    parts = _PLACEHOLDER.split(path)
    return "".join(
        tokens[part] if number % 2 else part.replace("${", "$${")
        for number, part in enumerate(parts)
    )


def _placed(given: tuple[Input, ...], place: str, key: str) -> dict[str, Any]:
    found = {one.key: one.token for one in given if one.place == place}
    return {key: found} if found else {}


# Body


def _body(operation: _Operation, schemas: Schemas, notes: Notes) -> _Body | None:
    node = _resolved(operation.node.get("requestBody"), schemas)
    content = node.get("content")
    if not isinstance(content, Mapping) or not content:
        if node and operation.method != "get":
            notes.add("", "the document does not say what the body of the request is: none is sent")
        return None
    media_type, key = _body_type(content)
    if len(content) > 1:
        others = ", ".join(one for one in content if one != media_type)
        notes.add("", f"the body may also be {others}; {media_type} is sent")
    media = content[media_type] if isinstance(content[media_type], Mapping) else {}
    schema = schemas.plain(media.get("schema", {}), "")
    example = _example(media)
    required = node.get("required") is True
    if key == "body" or (key == "json" and carrier_of("body", schema) == "binary"):
        return _raw_body(media_type, schema, required)
    if key == "json" and not (schema.get("properties") or _alternative_properties(schema)):
        one = Input("body", "body", {"description": "The body of the request.", **schema}, required)
        notes.add("body", "its schema names no properties: it is one input, the whole body")
        return _Body(key, media_type, (typed(one, notes),), whole=True)
    if example is not None and isinstance(example, Mapping):
        for name, value in example.items():
            if name in schema.get("properties", {}):
                schema["properties"][name] = {**schema["properties"][name], "examples": [value]}
    streams = schema.get("properties", {}).get("stream")
    if (
        isinstance(streams, Mapping)
        and "stream" not in schema.get("required", ())
        and types_of(streams) <= {"boolean"}
    ):
        notes.add("stream", "left out: a stream of events is no single reply")
        del schema["properties"]["stream"]
    inputs = inputs_of(schema, notes, any_address=False)
    return _Body(
        key,
        media_type,
        tuple(_encoded(one, key, notes) for one in inputs.given),
        constraints=inputs.constraints,
    )


def _alternative_properties(schema: Mapping[str, Any]) -> bool:
    return any(
        isinstance(branch, Mapping)
        and (branch.get("properties") or _alternative_properties(branch))
        for key in ("allOf", "anyOf", "oneOf")
        for branch in schema.get(key, ())
    )


def _body_type(content: Mapping[str, Any]) -> tuple[str, str]:
    """The media type to send, and the key of the request that writes it."""
    for matches, key in (
        (_JSON.match, "json"),
        (re.compile(r"multipart/").match, "multipart"),
        (re.compile(r"application/x-www-form-urlencoded").match, "form"),
    ):
        for one in content:
            if matches(one):
                return one, key
    return next(iter(content)), "body"


def _raw_body(media_type: str, schema: Mapping[str, Any], required: bool) -> _Body:
    """A file, or a text, that is the whole body."""
    is_text = media_type.lower().startswith(("text/", "application/xml", "application/yaml"))
    if is_text:
        one = Input("body", "body", {"type": "string"}, required)
    else:
        kind = kind_of_mime(media_type)
        format_ = kind if kind in FILE_FORMATS else "file"
        one = Input("file", "file", {"type": "string", "format": format_}, required, "bytes")
    described = {"description": schema["description"]} if schema.get("description") else {}
    return _Body("body", media_type, (evolve(one, schema={**one.schema, **described}),), whole=True)


def _encoded(one: Input, key: str, notes: Notes) -> Input:
    """An input as its body's encoding can carry it."""
    is_list = bool(types_of(one.schema) & {"array"})
    if key != "multipart" and one.filter == "bytes":
        notes.add(one.name, f"bytes in a {key}: its base64 is sent")
        one = evolve(one, filter="base64")
    if key == "json":
        return one
    if key == "form" and one.is_file and is_list:
        texts = {"type": "array", "items": {"type": "string"}}
        one = evolve(one, schema={**one.schema, **texts}, filter="")
    structured = types_of(one.schema) & {"object"} or (key == "form" and is_list)
    if structured and not one.is_file:
        notes.add(one.name, "sent as JSON text: the document does not say how it is encoded")
        return evolve(one, filter="json")
    return one


# Reply


@frozen
class _Reply:
    """What a success is answered with."""

    status: int
    media_type: str
    schema: Mapping[str, Any]
    example: Any = None


def _reply(operation: _Operation, schemas: Schemas, notes: Notes) -> _Reply:
    responses = operation.node.get("responses")
    responses = responses if isinstance(responses, Mapping) else {}
    good = sorted(str(code) for code in responses if re.fullmatch(r"2(\d\d|XX|xx)", str(code)))
    by_text = {str(code): one for code, one in responses.items()}
    for code in [*good, *(["default"] if "default" in by_text else [])]:
        content = _resolved(by_text[code], schemas).get("content")
        status = int(code) if code.isdecimal() else 200
        if not isinstance(content, Mapping) or not content:
            continue
        if status == 202:
            notes.add("", "the success is 202 Accepted, which is how receipts of jobs are answered")
        media_type = _reply_type(content)
        if media_type.partition(";")[0] in _EVENTS:
            notes.add("", f"the reply is {media_type}, a stream: it is read as one text at its end")
        media = content[media_type] if isinstance(content[media_type], Mapping) else {}
        schema = schemas.plain(media.get("schema", {}), "reply")
        return _Reply(status, media_type, schema, _example(media))
    notes.add("", "the document does not say what a success is answered with")
    return _Reply(int(good[0]) if good and good[0].isdecimal() else 200, "", {})


def _reply_type(content: Mapping[str, Any]) -> str:
    """Files before JSON, JSON before text; streams of events last."""

    def rank(media_type: str) -> int:
        if media_type.partition(";")[0] in _EVENTS:
            return 3
        if kind_of_mime(media_type) not in (None, "text"):
            return 0
        return 1 if _JSON.match(media_type) else 2

    return min(content, key=rank)


def _outputs(reply: _Reply, notes: Notes, spoken: tuple[str, ...]) -> tuple[Outputs, str]:
    """What the reply holds, and how it is read."""
    kind = kind_of_mime(reply.media_type)
    told = first_kind(spoken[:2])
    if not reply.media_type or _JSON.match(reply.media_type):
        path = "body"
        sample = reply.example
        return (
            outputs_of(
                reply.schema, notes, path=path, sample=sample, told=told, described=spoken[2:]
            ),
            "json",
        )
    if kind == "text" or reply.media_type.partition(";")[0] in _EVENTS:
        return Outputs("text", {"outputs": [{"from": "body", "as": "text"}]}), "text"
    output: dict[str, Any] = {"from": "body", "as": "bytes"}
    if kind is not None and "*" not in reply.media_type:
        output["mime"] = reply.media_type.partition(";")[0]
    if kind is None:
        kind = told or first_kind(spoken[2:])
        if kind is None:
            notes.add("", "artifact_type cannot be told from the document: intermediate is written")
    return Outputs(kind or "intermediate", {"outputs": [output]}), "binary"


def _example(media: Mapping[str, Any]) -> Any:
    """The example of a media type, if it has one."""
    if "example" in media:
        return media["example"]
    examples = media.get("examples")
    if isinstance(examples, Mapping):
        for one in examples.values():
            if isinstance(one, Mapping) and "value" in one:
                return one["value"]
    return None


# Provider


def _base_url(document: Mapping[str, Any], operation: _Operation, notes: Notes) -> str:
    for node in (operation.node, operation.item, document):
        servers = node.get("servers")
        for server in servers if isinstance(servers, list) else ():
            if not isinstance(server, Mapping) or not isinstance(server.get("url"), str):
                continue
            url = server["url"]
            variables = server.get("variables")
            for name in _PLACEHOLDER.findall(url):
                one = variables.get(name) if isinstance(variables, Mapping) else None
                default = one.get("default") if isinstance(one, Mapping) else None
                url = url.replace(f"{{{name}}}", str(default) if default is not None else name)
                notes.add("", f"the address of the server has a variable {name}: see base_url")
            if not url.startswith(("https://", "http://")):
                notes.add("", f"the server's address {url!r} is relative: complete base_url")
                url = urljoin("https://api.example.com", url)
            return str(url).rstrip("/")
    notes.add("", "the document names no server: complete base_url")
    return "https://api.example.com"


def _auth(
    document: Mapping[str, Any], operation: _Operation, notes: Notes
) -> tuple[dict[str, Any], bool]:
    """``auth`` of the provider, and whether it takes a key."""
    asked = operation.node.get("security", document.get("security"))
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, Mapping) else None
    schemes = schemes if isinstance(schemes, Mapping) else {}
    alternatives = [one for one in asked if isinstance(one, Mapping)] if isinstance(
        asked, list
    ) else []  # fmt: skip
    if not alternatives:
        if asked is None:
            notes.add("", "the document names no security: auth is none")
        return {"kind": "none"}, False
    schemas = Schemas(document, Notes())
    for alternative in sorted(alternatives, key=len, reverse=False):
        for name in alternative:
            scheme = _resolved(schemes.get(name), schemas)
            auth = _scheme(name, scheme, notes)
            if auth is not None:
                if len(alternative) > 1:
                    notes.add("", f"security asks for {' and '.join(alternative)}; {name} is used")
                return auth, True
    if any(not one for one in alternatives):
        return {"kind": "none"}, False
    names = ", ".join(name for one in alternatives for name in one)
    notes.add("", f"security {names} has no equal here: bearer is written")
    return {"kind": "bearer"}, True


def _scheme(name: str, scheme: Mapping[str, Any], notes: Notes) -> dict[str, Any] | None:
    kind = str(scheme.get("type", "")).lower()
    if kind == "http":
        how = str(scheme.get("scheme", "")).lower()
        if how == "basic":
            notes.add("", "the key of basic authentication is user:password")
            return {"kind": "basic"}
        return {"kind": "bearer"} if how == "bearer" else None
    if kind in ("oauth2", "openidconnect"):
        notes.add("", f"{name} is {scheme.get('type')}: the key is an access token got elsewhere")
        return {"kind": "bearer"}
    at, key = scheme.get("in"), scheme.get("name")
    if kind != "apikey" or not isinstance(key, str):
        return None
    if at == "query":
        return {"kind": "query", "name": key}
    if at != "header":
        return None
    if key.lower() == "authorization":
        described = text_of(scheme.get("description"))
        prefix = re.search(r"\b(Bearer|Token|Key|Basic|Api-Key)\b", described)
        notes.add(
            "",
            f"what stands before the key in Authorization is taken to be {prefix[1]!r}"
            if prefix
            else "what stands before the key in Authorization cannot be told: see auth.prefix",
        )
        before = {"prefix": f"{prefix[1]} "} if prefix else {}
        return {"kind": "header", "name": key, **before}
    return {"kind": "header", "name": key}


def _provider(
    document: Mapping[str, Any],
    info: Mapping[str, Any],
    provider: str,
    base_url: str,
    auth: dict[str, Any],
    secured: bool,
) -> dict[str, Any]:
    variable = f"{re.sub(r'[^A-Z0-9]+', '_', provider.upper()).strip('_')}_API_KEY"
    if variable[0].isdecimal():
        variable = f"API_{variable}"
    described = {
        "display_name": line(info.get("title")),
        "description": line(info.get("description")),
        "docs": _docs(document),
        "setup": f"Set {variable}." if secured else "",
    }
    keyed = {"api_key_env": variable} if secured else {}
    return {
        **{key: value for key, value in described.items() if value},
        "config": {"base_url": base_url, **keyed},
        "auth": auth,
    }


def _docs(node: Mapping[str, Any]) -> str:
    docs = node.get("externalDocs")
    url = docs.get("url") if isinstance(docs, Mapping) else None
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else ""


# Fixtures


def _as_text(value: Any) -> str:
    """A value as a path, a form or a part has it."""
    return value if isinstance(value, str) else json.dumps(value)


def _fixtures(
    operation: _Operation,
    submit: Mapping[str, Any],
    inputs: Inputs,
    body: _Body | None,
    outputs: Outputs,
    reply: _Reply,
    secured: bool,
    notes: Notes,
) -> list[dict[str, Any]]:
    given = inputs.sample(inputs.examples(), notes)
    if given is None:
        return []
    expect: dict[str, Any] = {"method": submit["method"]}
    whole = InputSchema(inputs.schema()).complete(given)  # a default stands in a path too
    path = _TOKEN.sub(lambda found: quote(_as_text(whole[found[1]]), safe=""), submit["path"])
    if "${" not in path:
        expect["path"] = path
    if body is not None:
        own = evolve(inputs, given=body.inputs, constraints={})
        names = {one.name for one in body.inputs}
        sent = own.sent({name: value for name, value in given.items() if name in names})
        if body.whole:
            for value in sent.values():  # there is one, or none
                expect[body.key] = value
        elif body.key == "json":
            expect["json"] = sent
        else:
            texts = {
                key: [_as_text(one) for one in (value if isinstance(value, list) else [value])]
                for key, value in sent.items()
            }
            # A list is so many parts of one name.
            expect[body.key] = {
                key: listed if len(listed) > 1 else listed[0]
                for key, listed in texts.items()
                if listed
            }
    tests = []
    status = {"status": reply.status}
    if "accept" in submit:
        content = {"bytes": "made"} if submit["accept"] == "binary" else {"text": "made"}
        found = [{"bytes": "made"} if submit["accept"] == "binary" else {"text": "made"}]
        exchange = {"expect": expect, "reply": {**status, **content}}
        tests.append(succeeding(given, [exchange], found))
    else:
        for output in (reply.example, sample_of(reply.schema, "output")):
            found = find_outputs(outputs.extract, outputs.artifact_type, output)
            if found:
                exchange = {"expect": expect, "reply": {**status, "json": output}}
                tests.append(succeeding(given, [exchange], found))
                break
        else:
            notes.add("", "no sample reply could be made: there is no fixture of a success")
    code, raises = (401, "auth") if secured else (400, "invalid_input")
    refused = {"expect": {"method": submit["method"]}, "reply": {"status": code, "json": {}}}
    name = "refused credentials" if secured else "refused input"
    return [*tests, {"name": name, "input": given, "exchanges": [refused], "raises": raises}]
