"""Tokens: types are kept, texts stay data, and paths stay inside their segments."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.spec.model import RequestSpec
from boards.spec.paths import ABSENT
from boards.spec.requests import CompiledRequest, Rendered
from boards.spec.tokens import (
    FILTERS,
    ROOTS,
    RenderError,
    Token,
    TokenError,
    compile_path_template,
    compile_template,
    parse_template,
)


class Files:
    """Files that tell how they were asked for."""

    def get(self, reference: str, form: str) -> Any:
        return f"<{form} of {reference}>"


def render(text: str, **roots: Any) -> Any:
    return compile_template(parse_template(text))({"files": Files(), **roots})


def path(text: str, **roots: Any) -> Any:
    return compile_path_template(parse_template(text))(roots)


def send(scope: Mapping[str, Any], **parts: Any) -> Rendered:
    return CompiledRequest(RequestSpec(**parts)).render(scope)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
hostile_texts = st.text() | st.sampled_from(
    [
        "${x}",
        "${input.x}",
        "$${",
        "{{x}}",
        "../..",
        "..",
        ".",
        "%2e%2e",
        "a/b",
        "\\..",
        "?x#y",
        "\r\n",
    ]
)


# Values


@pytest.mark.parametrize("value", ["a", 7, 1.0, True, None, [1, "a"], {"b": [None]}])
def test_a_token_alone_keeps_the_type(value: Any) -> None:
    """A string that is one token yields the value itself."""
    assert render("${input.x}", input={"x": value}) is value


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (7, "7"), (1.5, "1.5"), (True, "true"), (False, "false")]
)
def test_an_embedded_token_is_text(value: Any, text: str) -> None:
    """In a longer string a scalar becomes text, booleans as JSON spells them."""
    assert render("<${input.x}>", input={"x": value}) == f"<{text}>"


@pytest.mark.parametrize(
    ("value", "named"), [(None, "null"), ([1], "a list"), ({}, "a mapping"), (b"x", "bytes")]
)
def test_only_scalars_are_embedded(value: Any, named: str) -> None:
    """Null and collections inside a text are an error that names the token."""
    with pytest.raises(RenderError, match=rf"\$\{{input.x\}}: {named} cannot") as caught:
        render("<${input.x}>", input={"x": value})
    assert caught.value.token == Token("${input.x}", "input", ("x",))


def test_steps_go_through_mappings_and_lists() -> None:
    """Keys name members, digits count items; digits are keys of a mapping."""
    scope = {"a": [{"b-c": 5}], "0": "zero"}
    assert render("${input.a.0.b-c}", input=scope) == 5
    assert render("${input.0}", input=scope) == "zero"
    assert render("${input}", input=scope) is scope


@pytest.mark.parametrize("token", ["x", "a.1", "a.0.x", "s.0", "a.99999999999999999999"])
def test_an_absent_value_is_an_error_unless_optional(token: str) -> None:
    """Without ``?`` nothing is guessed; with it, the whole text is absent."""
    scope = {"a": [{}], "s": "text"}
    with pytest.raises(RenderError, match="no such value"):
        render(f"${{input.{token}}}", input=scope)
    assert render(f"${{input.{token}?}}", input=scope) is ABSENT
    assert render(f"a ${{input.{token}?}} b", input=scope) is ABSENT


def test_null_is_absent_only_for_an_optional_token() -> None:
    """``?`` leaves null out; without it null is a value."""
    assert render("${input.x?}", input={"x": None}) is ABSENT
    assert render("${input.x}", input={"x": None}) is None
    kept: list[Any] = [0, "", False, []]
    for value in kept:
        assert render("${input.x?}", input={"x": value}) is value


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("$${input.x}", "${input.x}"),
        ("a$${b}${input.x}c", "a${b}1c"),
        ("${input.x}$${", "1${"),
        ("$$${x}", "$${x}"),
        ("$${$${", "${${"),
        ("$ {input.x} $x }", "$ {input.x} $x }"),
        ("", ""),
    ],
)
def test_an_escape_is_a_literal(text: str, rendered: str) -> None:
    """``$${`` is a literal ``${``; other dollars and braces are themselves."""
    assert render(text, input={"x": 1}) == rendered


# Mistakes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${input.x", "is not closed"),
        ("a ${input.x} ${", "is not closed"),
        ("${inptu.x}", "unknown root 'inptu'"),
        ("${input.x|upper}", "unknown filter 'upper'"),
        ("${input.x|str|int?}", "is not a token"),
        ("${}", "is not a token"),
        ("${input..x}", "is not a token"),
        ("${input.x + 1}", "is not a token"),
        ("${input.x|file(1)}", "is not a token"),
        ("${ input.x }", "is not a token"),
        ("${input.${let.a}}", "is not a token"),
        ("${input[0]}", "is not a token"),
        ("{{input.x}}", "'{{' is no token"),
    ],
)
def test_a_text_that_is_no_template_is_refused(text: str, message: str) -> None:
    """What looks like a token and is none is an error, never text."""
    with pytest.raises(TokenError) as caught:
        parse_template(text)
    assert message in str(caught.value)


@given(st.text() | st.text(alphabet="${}.?|inputxsrle0 ", max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Parsing raises nothing but TokenError, and the parts are those of the text."""
    try:
        template = parse_template(text)
    except TokenError:
        return
    again = "".join(
        part.text if isinstance(part, Token) else part.replace("${", "$${")
        for part in template.parts
    )
    assert again == text
    assert parse_template(again) == template
    assert not any(
        isinstance(left, str) and isinstance(right, str)
        for left, right in zip(template.parts, template.parts[1:], strict=False)
    )


# Filters


@pytest.mark.parametrize(
    ("filter_", "value", "result"),
    [
        ("str", 7, "7"),
        ("str", True, "true"),
        ("int", "42", 42),
        ("int", " -3 ", -3),
        ("int", 2.0, 2),
        ("json", {"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'),
        ("json", "x", '"x"'),
        ("str|json", 5, '"5"'),
        ("str", [1, True], ["1", "true"]),
        ("int", ["1", 2], [1, 2]),
        ("json", [1, 2], "[1,2]"),
    ],
)
def test_filters(filter_: str, value: Any, result: Any) -> None:
    """Filters apply in order; a list maps element by element, but for ``json``."""
    found = render(f"${{input.x|{filter_}}}", input={"x": value})
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize("value", ["1.5", "", "a", 1.5, True, None, {}, "1_000", "٣", float("inf")])
def test_int_reads_only_integers(value: Any) -> None:
    """What is no integer is an error, not rounded or guessed."""
    with pytest.raises(RenderError, match=r"\|int cannot read"):
        render("${input.x|int}", input={"x": value})


@pytest.mark.parametrize("form", ["file", "url", "base64", "data_uri", "bytes", "mime"])
def test_file_filters_ask_for_the_form(form: str) -> None:
    """Each file filter is a form; a list of files gives a list."""
    token = f"${{input.x|{form}}}"
    assert render(token, input={"x": "https://h/a"}) == f"<{form} of https://h/a>"
    assert render(token, input={"x": ["a", "b"]}) == [f"<{form} of a>", f"<{form} of b>"]
    assert render(f"${{input.x?|{form}}}", input={}) is ABSENT
    with pytest.raises(RenderError, match="takes a file input, not a number"):
        render(token, input={"x": 5})


def test_tables_are_closed() -> None:
    """The roots and filters are those of the language."""
    assert set(ROOTS) == {
        "input",
        "let",
        "config",
        "run",
        "job",
        "prev",
        "file",
        "upload",
        "item",
        "model",
        "steps",
    }
    assert set(FILTERS) == {
        "str",
        "int",
        "json",
        "file",
        "url",
        "base64",
        "data_uri",
        "bytes",
        "mime",
    }


# Paths


@pytest.mark.parametrize(
    ("text", "value", "rendered"),
    [
        ("/m/${input.x}", "a/b", "/m/a%2Fb"),
        ("/m/${let.x}", "a/b", "/m/a%2Fb"),
        ("/m/${run.x}", "a?b#c", "/m/a%3Fb%23c"),
        ("/m/${input.x}", "%2e%2e", "/m/%252e%252e"),
        ("/m/${input.x}/z", "é b\r\n", "/m/%C3%A9%20b%0D%0A/z"),
        ("/m/${input.x}", 7, "/m/7"),
        ("/m/${job.x}", "a/b", "/m/a/b"),
        ("/m/${prev.x}", "a/b?c#d%2e", "/m/a/b%3Fc%23d%252e"),
        ("/m/${config.x}", "v1:beta@2", "/m/v1:beta@2"),
        ("/m/${input.x}.${input.x}", "a", "/m/a.a"),
        ("/m/...", "", "/m/..."),
        ("/m?q=../${input.x}", "a", "/m?q=../a"),
    ],
)
def test_path_values_are_encoded(text: str, value: Any, rendered: str) -> None:
    """A caller's ``/`` is encoded, a provider's kept; ``?``, ``#`` and ``%`` always encoded."""
    root = text.partition("${")[2].partition(".")[0] or "input"
    assert path(text, **{root: {"x": value}}) == rendered


@pytest.mark.parametrize(
    ("text", "root", "value"),
    [
        ("/m/${input.x}/z", "input", ".."),
        ("/m/${input.x}", "input", "."),
        ("/m/.${input.x}", "input", "."),
        ("/m/${input.x}${input.x}", "input", "."),
        ("/m/${job.x}/z", "job", "a/../../b"),
        ("/m/${config.x}", "config", "./a"),
        ("/m/${input.x}?a=b", "input", ".."),
        ("/m/${input.x}#a", "input", ".."),
    ],
)
def test_a_path_never_climbs(text: str, root: str, value: str) -> None:
    """A segment that renders to a dot segment is refused, whatever its root."""
    with pytest.raises(RenderError, match="a path segment cannot be"):
        path(text, **{root: {"x": value}})


@given(hostile_texts)
def test_a_caller_adds_no_segment(text: str) -> None:
    """A caller's text stays within its one segment, and means itself."""
    try:
        rendered = path("/a/${input.x}/b", input={"x": text})
    except RenderError:
        assert text in (".", "..")
        return
    _, first, segment, last = rendered.split("/")
    assert (first, unquote(segment), last) == ("a", text, "b")
    assert rendered.isascii()
    assert not set(rendered) & set("?#\\ \r\n")


@given(hostile_texts)
def test_a_provider_adds_no_dot_segment(text: str) -> None:
    """A value of the provider keeps its slashes; it adds no query and never climbs."""
    try:
        rendered = path("/a/${job.x}/b", job={"x": text})
    except RenderError:
        assert {".", ".."} & set(text.split("/"))
        return
    assert unquote(rendered) == f"/a/{text}/b"
    assert not {".", ".."} & set(rendered.split("/"))
    assert not set(rendered) & set("?#\\ \r\n")


def test_text_that_is_no_unicode_is_refused_in_a_path() -> None:
    """Half a surrogate pair has no bytes to encode."""
    with pytest.raises(RenderError, match="not Unicode"):
        path("/a/${input.x}", input={"x": "\ud800"})


# Rendered text is data


@given(json_values)
def test_any_json_value_comes_out_as_it_went_in(value: Any) -> None:
    """A token is not a conversion: the same value, the same types."""
    assert render("${input.x}", input={"x": value}) is value
    rendered = render("${input.x|json}", input={"x": value})
    assert repr(json.loads(rendered)) == repr(value)


@given(hostile_texts, hostile_texts)
def test_rendered_text_is_never_scanned_again(one: str, two: str) -> None:
    """Tokens in values are data."""
    rendered = render(
        "${input.a}|${let.b}|${input.a}", input={"a": one, "x": "LEAK"}, let={"b": two}
    )
    assert rendered == f"{one}|{two}|{one}"


@given(hostile_texts)
def test_any_text_is_data_in_every_position(text: str) -> None:
    """Query, form, parts, raw body and an absolute URL take any text as it is."""
    template = parse_template("<${input.x}>")
    rendered = send(
        {"input": {"x": text}},
        url=parse_template("https://h.test/p"),
        query={"q": template},
        form={"f": template},
        multipart={"m": template},
        body=template,
    )
    wanted = f"<{text}>"
    assert rendered.url == "https://h.test/p"
    assert rendered.query == (("q", wanted),)
    assert rendered.form == {"f": wanted}
    assert rendered.multipart == {"m": wanted}
    assert rendered.body == wanted


# Requests


def test_an_absent_value_leaves_out_its_name() -> None:
    """Query, header, form field and part with an absent ``?`` token are not sent."""
    absent = parse_template("a${input.x?}")
    rendered = send(
        {"input": {}},
        path=parse_template("/p"),
        query={"q": absent},
        headers={"X-A": absent},
        form={"f": absent},
        multipart={"m": absent},
    )
    assert (rendered.query, rendered.headers, rendered.form, rendered.multipart) == ((), {}, {}, {})
    assert rendered.json is ABSENT
    assert rendered.base == "base_url"


def test_an_absent_url_is_an_error() -> None:
    """A request without an address cannot be sent."""
    with pytest.raises(RenderError, match="URL of the request is absent"):
        send({"job": {}}, url=parse_template("${job.url?}"))


@pytest.mark.parametrize(
    ("url", "rendered"),
    [
        ("${job.url}", "https://h.test/a%2Fb?c=1"),
        ("${job.url}/x/${input.id}", "https://h.test/a%2Fb?c=1/x/a%2F%3Fb"),
        ("https://h.test/${input.id}?x=${input.id}", "https://h.test/a%2F%3Fb?x=a%2F%3Fb"),
    ],
)
def test_a_url_of_the_provider_is_kept(url: str, rendered: str) -> None:
    """A URL that begins with a token keeps what the reply said; what is added is encoded."""
    scope = {"job": {"url": "https://h.test/a%2Fb?c=1"}, "input": {"id": "a/?b"}}
    found = send(scope, url=parse_template(url))
    assert (found.url, found.base) == (rendered, None)


def test_query_and_headers_are_texts() -> None:
    """A number or boolean is spelled as JSON does; a list cannot stand there."""
    one = parse_template("${input.x}")
    parts: dict[str, Any] = {
        "path": parse_template("/p"),
        "query": {"q": one},
        "headers": {"X": one},
    }
    rendered = send({"input": {"x": True}}, **parts)
    assert (rendered.query, rendered.headers) == ((("q", "true"),), {"X": "true"})
    with pytest.raises(RenderError, match="a list cannot stand"):
        send({"input": {"x": [1]}}, **parts)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00", "日本", "\x7f"])
def test_a_header_has_one_line(value: str) -> None:
    """A value cannot begin another header."""
    with pytest.raises(RenderError, match="a header has one line"):
        send(
            {"input": {"x": value}},
            path=parse_template("/p"),
            headers={"X-A": parse_template("a ${input.x}")},
        )


def test_a_requests_headers_win_over_the_providers() -> None:
    """Headers add up; the same name in any case is the request's."""
    spec = RequestSpec(path=parse_template("/p"), headers={"x-a": parse_template("own")})
    provided = {"X-A": parse_template("theirs"), "X-B": parse_template("${config.b}")}
    rendered = CompiledRequest(spec, provided).render({"config": {"b": "kept"}})
    assert rendered.headers == {"x-a": "own", "X-B": "kept"}
