/** `tag`, `image tag`. */
import { errorMessage } from "../../base/errors.ts";
import { goQuote } from "../../base/go-quote.ts";
import { familiarName, parseAnyReference } from "../../oci/reference.ts";
import { CliError, defineCommand } from "../command.ts";

export const command = defineCommand({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  args: { min: 2, max: 2 },
  flags: {},
  async run(context, _flags, [source = "", target = ""]) {
    parse(source);
    const parsed = parse(target);
    if ("id" in parsed || parsed.reference.digest !== undefined) {
      throw new CliError("refusing to create a tag with a digest reference");
    }
    const { reference } = parsed;
    await context.client.send("POST", `/images/${encodeURIComponent(source)}/tag`, {
      query: { repo: familiarName(reference), tag: reference.tag ?? "latest" },
    });
    return 0;
  },
});

function parse(text: string): ReturnType<typeof parseAnyReference> {
  try {
    return parseAnyReference(text);
  } catch (error) {
    const reason = errorMessage(error);
    throw new CliError(`Error parsing reference: ${goQuote(text)} is not a valid repository/tag: ${reason}`);
  }
}
