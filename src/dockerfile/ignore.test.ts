/** From moby/patternmatcher's own tables, and the Dockerfile reference. */
import { expect, test } from "bun:test";
import { IgnoreMatcher, parseIgnoreFile, toExpression } from "./ignore.ts";

test.each<[string, string, boolean]>([
  ["**", "file", true],
  ["**", "dir/file", true],
  ["**/", "file", true],
  ["**/**", "dir/file", true],
  ["dir/**", "dir/file", true],
  ["dir/**", "dir/dir2/file", true],
  ["**/dir", "dir/file", true],
  ["**/dir2/*", "dir/dir2/file", true],
  ["**/dir2/**", "dir/dir2/dir2/file", true],
  ["**file", "dir/file", true],
  ["**/file", "dir/dir/file", true],
  ["**/file*", "dir/dir/file.txt", true],
  ["**/file*txt", "dir/dir/file.txt", true],
  ["**/**/*.txt", "dir/dir/file.txt", true],
  ["**/**/*.txt2", "dir/dir/file.txt", false],
  ["**/*.txt", "file.txt", true],
  ["a**/*.txt", "a/dir/file.txt", true],
  ["a/*.txt", "a/dir/file.txt", false],
  ["a/*.txt", "a/file.txt", true],
  ["a[b-d]e", "ae", false],
  ["a[b-d]e", "ace", true],
  ["a[^b-d]e", "aze", true],
  [".*", ".foo", true],
  [".*", "foo", false],
  ["abc.def", "abcdef", false],
  ["abc.def/", "abc.def", true],
  ["abc?def", "abcZdef", true],
  ["a\\*b", "a*b", true],
  ["a\\\\", "a\\", true],
  ["**/foo/bar", "foo/bar", true],
  ["abc/**", "abc", false],
  ["abc/**", "abc/def/ghi", true],
  ["**/.foo", "bar.foo", false],
  ["a(b)c/def", "a(b)c/def", true],
  ["a.|)$(}+{bc", "a.|)$(}+{bc", true],
  [
    "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
    "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
    true,
  ],
])("%s and %s: %p", (pattern, path, wanted) => {
  expect(new IgnoreMatcher([pattern]).matches(path)).toBe(wanted);
});

test("the last pattern that says something counts, and exceptions reach into what was left out", () => {
  const matcher = new IgnoreMatcher(["docs", "!docs/keep", "docs/keep/not"]);
  expect(["docs", "docs/a", "docs/keep", "docs/keep/x", "docs/keep/not"].map((path) => matcher.matches(path))).toEqual([
    true,
    true,
    false,
    false,
    true,
  ]);
  expect(["docs", "docs/keep", "docs/a", "src"].map((path) => matcher.mayHoldExceptions(path))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(new IgnoreMatcher(["a", "!**/b"]).mayHoldExceptions("a/c/d")).toBe(true);
});

test("the file: comments, blanks, slashes, a byte order mark", () => {
  expect(
    parseIgnoreFile(
      "\uFEFFtest1\n/test2\n/a/file/here\n\nlastfile\n# this is a comment\n! /inverted/abs/path\n!\n! \n#x\n b/ \n./c",
    ),
  ).toEqual(["test1", "test2", "a/file/here", "lastfile", "!inverted/abs/path", "!", "!", "b", "c"]);
});

test.each<[string, string, boolean]>([
  ["*c", "abc", true],
  ["a*/b", "a/c/b", false],
  ["a*b*c*d*e*/f", "axbxcxdxexxx/f", true],
  ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false],
  ["a*b?c*x", "abxbbxdbxebxczzx", true],
  ["a*b?c*x", "abxbbxdbxebxczzy", false],
  ["ab[e-g]", "abc", false],
  ["ab[^c]", "abc", false],
  ["ab[^e-g]", "abc", true],
  ["a?b", "a☺b", true],
  ["a[^a]b", "a☺b", true],
  ["a???b", "a☺b", false],
  ["[a-ζ]*", "α", true],
  ["*[a-ζ]", "A", false],
  ["a?b", "a/b", false],
  ["[\\]a]", "]", true],
  ["[\\-x]", "-", true],
  ["[\\-x]", "a", false],
  ["*x", "xxx", true],
  ["a**b", "a/b", false],
  ["**", "a/b", false],
])("Go's filepath.Match: %s and %s: %p", (pattern, path, wanted) => {
  expect(toExpression(pattern, { directories: false }).test(path)).toBe(wanted);
});

test.each<[string[], string, boolean]>([
  [["**file"], "dir/afile", true],
  [["**/**/*.txt"], "file.txt", true],
  [["a*"], "ab/c", true],
  [["**", "!util/docker/web"], "util/docker/web/foo", false],
  [["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", true],
  [["**", "!dist/*.whl"], "dist/proxy.py-2.4.0rc3.whl", false],
  [["!fileutils.go", "*.go"], "fileutils.go", true],
  [["*.go", "!fileutils.go"], "fileutils.go", false],
  [["docs/*", "!docs/README.md"], "docs/README.md", false],
  [["docs", "  !docs/README.md  "], "docs/README.md", false],
])("%p and %s: %p", (patterns, path, wanted) => {
  expect(new IgnoreMatcher(patterns).matches(path)).toBe(wanted);
});

test("what is no pattern is refused", () => {
  for (const bad of ["a[", "[]a]", "a\\", "[", "[^", "[^bc", "[-]", "[x-]", "[-x]", "[a-b-c]"])
    expect(() => toExpression(bad)).toThrow("syntax error in pattern");
  expect(() => new IgnoreMatcher(["!"])).toThrow("illegal exclusion pattern");
});
