"""A contact sheet: one HTML page that shows what was generated and loads nothing from elsewhere."""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from attrs import frozen

from boards.generations import Generation

__all__ = ["Sheet", "write_sheet"]


@frozen
class Sheet:
    """One generation on the sheet.

    Attributes:
        generation: As it ended.
        title: What the generator is called.
        files: Its artifacts as files, in their order; below the sheet's own directory.
    """

    generation: Generation
    title: str
    files: tuple[Path, ...]


def write_sheet(path: Path, title: str, note: str, entries: Iterable[Sheet]) -> None:
    """Write the page. Files are linked relative to it, so the directory may be moved as a whole.

    Raises:
        OSError: It cannot be written.
    """
    cards = "\n".join(_card(entry, path.parent) for entry in entries)
    page = _PAGE.format(title=html.escape(title), note=html.escape(note), style=_STYLE, cards=cards)
    path.write_text(page, "utf-8")


def _card(entry: Sheet, directory: Path) -> str:
    generation = entry.generation
    began, ended = generation.created_at, generation.finished_at
    prompt = generation.input.get("prompt") or generation.input.get("text") or ""
    facts = [f"{ended - began:.1f} s"] if ended else []
    for artifact in generation.artifacts:
        facts += [artifact.mime, f"{artifact.size / 1000:,.1f} KB"]
    media = "\n".join(
        _media(artifact.type, one.relative_to(directory).as_posix(), str(prompt))
        for artifact, one in zip(generation.artifacts, entry.files, strict=True)
    )
    if generation.error is not None:
        media = f'<p class="error">{html.escape(generation.error.message)}</p>'
    chips = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    return f"""<article>
  <div class="media {html.escape(generation.artifact_type)}">{media}</div>
  <div class="text">
    <h2>{html.escape(entry.title)}</h2>
    <p class="id">{html.escape(generation.generator)}</p>
    <p class="prompt">{html.escape(str(prompt))}</p>
    <ul>{chips}</ul>
  </div>
</article>"""


def _media(type_: str, source: str, prompt: str) -> str:
    source, alt = html.escape(source, quote=True), html.escape(prompt, quote=True)
    match type_:
        case "image":
            return f'<a href="{source}"><img src="{source}" alt="{alt}"></a>'
        case "video":
            return f'<video src="{source}" controls loop muted playsinline autoplay></video>'
        case "audio":
            return f'{_WAVE}<audio src="{source}" controls></audio>'
        case _:
            return f'<a href="{source}">{source}</a>'


_WAVE: Final = (
    '<svg viewBox="0 0 240 60" aria-hidden="true">'
    + "".join(
        f'<rect x="{4 + 8 * n}" y="{30 - height / 2:g}" width="4" height="{height}" rx="2"/>'
        for n, height in enumerate(
            (6, 10, 18, 30, 22, 12, 26, 44, 34, 18, 28, 50, 56, 40, 24,
             36, 48, 30, 16, 22, 38, 28, 14, 20, 30, 18, 10, 14, 8)
        )
    )
    + "</svg>"
)  # fmt: skip

_STYLE: Final = """
:root { color-scheme: light dark; --page: #f4f3f0; --card: #fff; --ink: #1d1d1f; --soft: #6b6b70;
  --line: #e2e0da; --accent: #3f5bd9; --dark: #17181c; }
@media (prefers-color-scheme: dark) {
  :root { --page: #121316; --card: #1c1d22; --ink: #ececf0; --soft: #9a9aa3; --line: #2c2d34;
    --accent: #8ea2ff; --dark: #0c0d0f; }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--page); color: var(--ink); padding: 48px clamp(16px, 4vw, 64px);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
header { max-width: 1080px; margin: 0 auto 32px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; }
header p { color: var(--soft); margin-top: 6px; }
main { max-width: 1080px; margin: 0 auto; display: grid; gap: 24px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); }
article { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  overflow: hidden; display: flex; flex-direction: column; }
.media { aspect-ratio: 16 / 10; background: var(--dark); display: flex; flex-direction: column;
  gap: 16px; align-items: center; justify-content: center; overflow: hidden; }
.media a { color: #fff; width: 100%; height: 100%; }
.media img, .media video { width: 100%; height: 100%; object-fit: cover; display: block; }
.media.audio { padding: 24px; }
.media svg { width: 70%; fill: #8ea2ff; opacity: .8; }
.media audio { width: 100%; }
.text { padding: 18px 20px 20px; display: flex; flex-direction: column; flex: 1; }
h2 { font-size: 18px; line-height: 1.3; }
.id { color: var(--accent); font: 13px/1.6 ui-monospace, "DejaVu Sans Mono", monospace; }
.prompt { margin: 8px 0 14px; color: var(--soft); }
.error { color: #ff8a80; padding: 24px; }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 6px; margin-top: auto; }
li { border: 1px solid var(--line); border-radius: 99px; padding: 1px 10px; font-size: 13px;
  color: var(--soft); }
"""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><p>{note}</p></header>
<main>
{cards}
</main>
</body>
</html>
"""
