import { expect, test } from "bun:test";
import { type Definition, type Op, op } from "../../buildkit-api/protocol/messages.ts";
import { digestOf } from "../../oci/digest.ts";
import { graphSource } from "./graph-source.ts";

/** Each operation is the input of the next; the last, as BuildKit's, only names the one that counts. */
function graph(...ops: Op[]): Definition {
  const def: Uint8Array[] = [];
  for (const one of [...ops, {}]) {
    const before = def.at(-1);
    def.push(op.encode({ ...one, inputs: before ? [{ digest: digestOf(before), index: 0 }] : [] }));
  }
  return { def, metadata: {} };
}

const git = (attrs: Record<string, string> = {}, fragment = "") => ({
  source: {
    identifier: `git://example.org/a/b.git${fragment}`,
    attrs: { "git.fullurl": "https://example.org/a/b.git", ...attrs },
  },
});
const copy = (fields: object = {}) => ({
  file: {
    actions: [
      {
        copy: { src: "/sub", dest: "/", dirCopyContents: true, include_patterns: [], exclude_patterns: [], ...fields },
      },
    ],
  },
});

test("a repository with its reference, and a directory of it", () => {
  expect(
    graphSource(
      graph(
        git({ "git.authtokensecret": "T", "git.checksum": "abc", "git.skipsubmodules": "true" }, "#v1:in"),
        copy(),
        copy({ src: "/deeper" }),
      ),
    ),
  ).toEqual({
    name: "[internal] load remote source",
    directory: "/sub/deeper",
    origin: {
      kind: "git",
      source: {
        url: "https://example.org/a/b.git",
        ref: "v1",
        subdirectory: "in",
        checksum: "abc",
        keepGitDirectory: false,
        submodules: false,
      },
      token: "T",
      header: "",
    },
  });
});

test("a file at a URL", () => {
  const source = { identifier: "https://example.org/x.hcl", attrs: { "http.filename": "name" } };
  expect(graphSource(graph({ source }))?.origin).toEqual({ kind: "http", url: source.identifier, filename: "name" });
});

test("other sources are not ours, and what does more is refused", () => {
  expect(graphSource(graph({ source: { identifier: "docker-image://x", attrs: {} } }))).toBeUndefined();
  for (const [ops, message] of [
    [[git(), copy({ dest: "/x" })], "only copies of whole directories are"],
    [[git(), copy({ dirCopyContents: false })], "only copies of whole directories are"],
    [[git(), copy({ include_patterns: ["a"] })], "only copies of whole directories are"],
    [[{}], "only sources of files are"],
    [[git({ "git.fullurl": "--upload-pack=x" })], "is no address of a Git repository"],
    [[git({}, "#--upload-pack=x")], "invalid refspec"],
  ] as [Op[], string][]) {
    expect(() => graphSource(graph(...ops))).toThrow(message);
  }
  expect(() => graphSource({ def: [op.encode({ inputs: [{ digest: "sha256:0", index: 0 }] })], metadata: {} })).toThrow(
    "the graph has no operation sha256:0",
  );
});
