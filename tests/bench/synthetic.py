"""Synthetic plugins in a directory on the search path: as many as a test or a measurement wants."""

from pathlib import Path

__all__ = ["install_plugins"]

_PROVIDER = """\
spec: 1
providers:
  acme{number}:
    display_name: Acme {number}
    docs: https://acme{number}.example.com/docs
    setup: Create a key at https://acme{number}.example.com/keys and set ACME{number}_KEY.
    priority: 50
    auth: {{kind: bearer}}
    config: {{base_url: "https://api.acme{number}.example.com/v1", api_key_env: ACME{number}_KEY}}
"""

_GENERATOR = """\
  - name: model-{number}
    display_name: Model {number}
    description: Draws what a text says, in the manner of model {number}.
    artifact_type: image
    provider: acme{plugin}
    docs: https://acme{plugin}.example.com/models/{number}
    tags: [text-to-image]
    io:
      input_schema:
        type: object
        required: [prompt]
        properties:
          prompt: {{type: string, minLength: 1, description: What to draw.}}
          seed: {{type: integer, minimum: 0, description: Random where absent.}}
          steps: {{type: integer, minimum: 1, maximum: 50, default: 28, description: How many.}}
    execution:
      submit:
        path: /models/{number}
        json:
          prompt: "${{input.prompt}}"
          seed: "${{input.seed?}}"
          steps: "${{input.steps}}"
      extract: {{outputs: [{{from: "body.images[*].url", expires: 1h}}]}}
    tests:
      - name: an image
        input: {{prompt: a red fox}}
        exchanges:
          - expect: {{method: POST, path: /models/{number}, json: {{prompt: a red fox, steps: 28}}}}
            reply: {{status: 200, json: {{images: [{{url: "https://cdn.example.com/fox.png"}}]}}}}
        outputs: [{{url: "https://cdn.example.com/fox.png"}}]
"""

_IMPORTED = 'raise SystemExit("a plugin that is data was imported")\n'


def install_plugins(site: Path, *, plugins: int, generators: int) -> None:
    """Install declarative plugins; each has a provider, and an ``__init__`` that must not run.

    Args:
        site: The directory, which is made where it is missing.
        plugins: How many distributions: boards-acme0, boards-acme1...
        generators: How many generators each of them has, in one file.
    """
    for plugin in range(plugins):
        package = f"boards_acme{plugin}"
        metadata = site / f"{package}-1.0.dist-info"
        specs = site / package / "specs"
        metadata.mkdir(parents=True)
        specs.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: boards-acme{plugin}\nVersion: 1.0\n"
            "Requires-Dist: boards-core>=0.1\n"
        )
        (metadata / "entry_points.txt").write_text(
            f"[boards.specs]\nacme{plugin} = {package}.specs\n"
        )
        (metadata / "RECORD").write_text("")
        (site / package / "__init__.py").write_text(_IMPORTED)
        (specs / "provider.yaml").write_text(_PROVIDER.format(number=plugin))
        (specs / "image.yaml").write_text(
            "spec: 1\n\ngenerators:\n"
            + "\n".join(
                _GENERATOR.format(plugin=plugin, number=number) for number in range(generators)
            )
        )
