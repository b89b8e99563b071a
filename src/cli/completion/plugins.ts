/** Completion of what belongs to a plugin, which is asked as cobra's programs are: `PLUGIN __complete WORDS…`. */
import type { CliContext } from "../context.ts";
import { findPlugin, listPlugins, pluginDirectories, pluginEnvironment, withPlugin } from "../plugins/plugins.ts";

/** cobra's ShellCompDirectiveNoFileComp. */
const noFiles = 4;

/** The usable ones, as candidates for a command. */
export async function pluginNames({ config }: CliContext): Promise<string[]> {
  const plugins = await listPlugins(pluginDirectories(config));
  const shown = plugins.filter(({ Err, Hidden }) => Err === undefined && !Hidden);
  return shown.map(({ Name, ShortDescription = "" }) => `${Name}\t${ShortDescription}`);
}

/** What may stand in place of the last word. `words` begin with one that is no command of ours; none if it is no plugin's, either. */
export async function pluginCandidates(context: CliContext, words: readonly string[]): Promise<string[] | "files"> {
  const line = withPlugin(words, 0);
  const plugin = await findPlugin(line[0] ?? "", pluginDirectories(context.config));
  if (!plugin) return [];
  const child = Bun.spawn([plugin.Path, "__complete", ...line], {
    ...{ stdin: "ignore", stdout: "pipe", stderr: "ignore" },
    env: pluginEnvironment(context),
  });
  const lines = (await new Response(child.stdout).text()).split("\n");
  const end = lines.findLastIndex((line) => /^:\d+$/.test(line));
  const found = lines.slice(0, Math.max(end, 0));
  return found.length === 0 && (Number(lines[end]?.slice(1) ?? noFiles) & noFiles) === 0 ? "files" : found;
}
