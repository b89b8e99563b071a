/** A corpus of Dockerfiles, each instruction and flag: what Docker 28.5 makes of them, recorded, and what Gantry makes (e2e/corpus/README.md). */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { buildCase, type Case, parseCases } from "./lib/corpus.ts";
import { gantryDiffers } from "./lib/differences.ts";
import { describeImage, type SavedImage } from "./lib/image-content.ts";
import { useTarget } from "./lib/journey.ts";
import { must } from "./lib/run.ts";
import { repository } from "./lib/settings.ts";

const target = useTarget();
const corpus = join(repository, "e2e/corpus");
const golden = join(repository, "e2e/golden/corpus");
/** Builds at once. */
const width = 4;

for (const file of readdirSync(corpus).filter((name) => name.endsWith(".txt"))) {
  test(`corpus: ${file}`, async () => {
    const cases = parseCases(readFileSync(join(corpus, file), "utf8"));
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    const actual = await results(cases);
    if (process.env["RECORD"] && target().kind === "dockerd") {
      mkdirSync(golden, { recursive: true });
      writeFileSync(join(golden, file), actual.map(({ name, lines }) => `=== ${name}\n${lines}\n`).join(""));
      return;
    }
    const shown = actual.map(({ name, lines }) => `=== ${name}\n${lines}\n`).join("");
    const expected = readFileSync(join(golden, file), "utf8");
    const name = `corpus/${basename(file, ".txt")}`;
    expect(shown).toBe(target().kind === "gantry" ? gantryDiffers(name, expected) : expected);
  });
}

async function results(cases: Case[]): Promise<{ name: string; lines: string }[]> {
  const errors = new Map<string, string | undefined>();
  const waiting = [...cases];
  const worker = async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) errors.set(one.name, await buildCase(target(), one));
  };
  await Promise.all(Array.from({ length: width }, worker));
  const built = cases.filter(({ name }) => errors.get(name) === undefined);
  const directory = join(target().root, "saved");
  mkdirSync(directory);
  try {
    const names = built.map(({ name }) => `corpus:${name}`);
    await must(
      ["sh", "-ec", `"$0" save "$@" | tar -xf - -C ${directory}`, process.env["DOCKER_CLI"] ?? "docker", ...names],
      {
        env: target().cliEnvironment,
      },
    );
    const images = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8")) as SavedImage[];
    const byName = new Map(images.flatMap((image) => image.RepoTags.map((tag) => [tag, image] as const)));
    return cases.map(({ name, kit }) => {
      const image = byName.get(`corpus:${name}`);
      const lines = image ? describeImage(directory, image, kit) : [`error: ${normalError(errors.get(name))}`];
      return { name, lines: lines.join("\n") };
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What differs from run to run. */
function normalError(error: string | undefined): string {
  return (error ?? "none")
    .replaceAll(target().root, "<root>")
    .replace(/\b[0-9a-f]{64}\b/g, "<id>")
    .replace(/case-\w+/g, "<context>")
    .replace(/(lookup \S+) on [\d.]+:53/g, "$1");
}
