import { expect, test } from "bun:test";
import type { ImageManifestSummary, ImageSummary } from "../../api/images.ts";
import { renderTree } from "./tree.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

function manifest(id: string, architecture: string, more: Partial<ImageManifestSummary> = {}): ImageManifestSummary {
  return {
    ID: digest(id),
    Descriptor: { mediaType: "m", digest: digest(id), size: 1 },
    Available: true,
    Kind: "image",
    Size: { Content: 1_000, Total: 3_970_000 },
    ImageData: { Platform: { os: "linux", architecture }, Size: { Unpacked: 1 }, Containers: null },
    ...more,
  };
}

const images: ImageSummary[] = [
  {
    Id: digest("a"),
    ParentId: "",
    RepoTags: ["x:1", "registry:5000/team/x:1"],
    RepoDigests: [],
    Created: 2,
    Size: 3_960_000,
    SharedSize: -1,
    Labels: null,
    Containers: 1,
    Manifests: [
      manifest("b", "amd64"),
      manifest("c", "arm64", { Available: false, Size: { Content: 0, Total: 0 } }),
      manifest("d", "", { Kind: "attestation" }),
    ],
  },
  {
    Id: digest("e"),
    ParentId: "",
    RepoTags: [],
    RepoDigests: [],
    Created: 1,
    Size: 10,
    SharedSize: -1,
    Labels: null,
    Containers: 0,
  },
];

test("as docker 28.5 draws it", () => {
  expect(renderTree(images, { columns: 80, terminal: false })).toBe(
    [
      "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.",
      "                                                              Info ->  U In Use ",
      "",
      "IMAGE                    ID             DISK USAGE   CONTENT SIZE   EXTRA",
      "registry:5000/team/x:1",
      "x:1                      aaaaaaaaaaaa       3.96MB            1kB    U   ",
      "├─ linux/amd64           bbbbbbbbbbbb       3.97MB            1kB        ",
      "└─ linux/arm64           cccccccccccc           0B             0B        ",
      "",
      "<untagged>               eeeeeeeeeeee          10B             0B        ",
      "",
      "",
    ].join("\n"),
  );
});

test("a narrow terminal loses columns, then the ends of names", () => {
  const text = renderTree(images, { columns: 30, terminal: false });
  expect(text).toContain("registry:5000/team/x:1\nx:1               aaaaaaaaaaaa\n");
  expect(text).not.toContain("DISK USAGE");
});
