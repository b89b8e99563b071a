/**
 * Results that a client may name as the input of another build (bake's `contexts = { base = "target:base" }`): it gets a graph whose
 * only operation names the result, and sends it back.
 */
import { invalidArgument, notFound } from "../../base/errors.ts";
import { type Definition, op } from "../../buildkit-api/protocol/messages.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import type { BuiltResult } from "../frontend/platform-build.ts";
import type { BuildkitImages } from "../parts.ts";

const scheme = "gantry-result://";

/** As many are remembered. */
const limit = 256;

export class Results {
  private readonly known = new Map<string, BuiltResult>();

  remember(id: string, result: BuiltResult): void {
    this.known.set(id, result);
    for (const oldest of this.known.keys()) {
      if (this.known.size <= limit) break;
      this.known.delete(oldest);
    }
  }

  /** The graph that stands for a result; its last operation, as BuildKit's, only names the one that counts. */
  definition(id: string): Definition {
    const source = op.encode({ source: { identifier: `${scheme}${id}`, attrs: {} } });
    const digest = digestOf(source);
    const last = op.encode({ inputs: [{ digest, index: 0 }] });
    return { def: [source, last], metadata: { [digest]: { description: {} } } };
  }

  /** Images of the results that these graphs stand for, which are forgotten when the stack is disposed of. */
  async inputs(
    given: Readonly<Record<string, Definition>>,
    images: BuildkitImages,
    stack: AsyncDisposableStack,
  ): Promise<Map<string, Digest>> {
    const found = new Map<string, Digest>();
    for (const [name, definition] of Object.entries(given)) {
      const { config } = this.resultOf(name, definition);
      const image = await images.createBuilt(config, { hidden: true });
      stack.defer(() => images.forgetCacheStep(image));
      found.set(name, image);
    }
    return found;
  }

  private resultOf(name: string, { def }: Definition): BuiltResult {
    for (const bytes of def) {
      const { source } = op.decode(bytes);
      if (!source?.identifier.startsWith(scheme)) continue;
      const result = this.known.get(source.identifier.slice(scheme.length));
      if (!result) throw notFound(`the result that the input ${name} names is not known any more`);
      return result;
    }
    throw invalidArgument(`the input ${name} is a graph: only results of builds of this daemon can be inputs`);
  }
}
