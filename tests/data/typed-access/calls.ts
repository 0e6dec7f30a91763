// What a client in TypeScript writes. A line after `@ts-expect-error` has a mistake, which tsc finds.
import type { ArtifactTypeOf, FalFluxDevInput, GeneratorName, Generators, InputOf } from "./generators";

declare function generate<Name extends GeneratorName>(
  name: Name,
  input: InputOf<Name>,
): Promise<{ artifactType: ArtifactTypeOf<Name>; url: string }>;

export async function right(): Promise<void> {
  const made: { artifactType: "image" } = await generate("fal/flux-dev", { prompt: "a cat" });
  await generate("fal/flux-dev", { prompt: "a cat", seed: 7, image: "https://example.com/cat.png" });
  await generate("fal/flux-2", { prompt: "both", images: ["data:,", "artifact:0"] });
  await generate("flux-dev", { prompt: "a cat", aspect_ratio: "16:9" });
  const input: FalFluxDevInput = { prompt: made.artifactType };
  const again: Generators["fal/flux-dev"]["input"] = input;
  await generate("@fal", { prompt: again.prompt });
}

export async function wrong(): Promise<void> {
  // @ts-expect-error: prompt is required
  await generate("fal/flux-dev", { seed: 7 });
  // @ts-expect-error: there is no such input
  await generate("fal/flux-dev", { prompt: "a cat", sed: 7 });
  // @ts-expect-error: the type
  await generate("fal/flux-dev", { prompt: 7 });
  // @ts-expect-error: the choice
  await generate("fal/flux-dev", { prompt: "a cat", aspect_ratio: "17:9" });
  // @ts-expect-error: not of all providers
  await generate("flux-dev", { prompt: "a cat", go_fast: true });
  // @ts-expect-error: there is no such generator
  await generate("fal/flux-dex", { prompt: "a cat" });
  // @ts-expect-error: it makes images
  const made: { artifactType: "video" } = await generate("fal/flux-dev", { prompt: "a cat" });
  console.log(made.artifactType);
}
