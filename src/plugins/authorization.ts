/** Authorization plugins: each is asked before a request is served and before its answer is sent; the first that refuses decides. */
import type { AuthorizationRequest, AuthorizationResponse } from "../api/authorization.ts";
import { errorMessage, forbidden, internal } from "../base/errors.ts";
import type { Plugins } from "./plugins.ts";

export class Authorization {
  private asked: readonly string[] = [];
  private readonly plugins: Pick<Plugins, "get">;

  constructor(plugins: Pick<Plugins, "get">) {
    this.plugins = plugins;
  }

  get names(): readonly string[] {
    return this.asked;
  }

  /** From now on these are asked. Rejects `internal`, and all stays as it was, when one is not there: it could not be asked. */
  async use(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.plugins.get(name, "authz").catch((error: unknown) => {
        throw internal(`failed to validate authorization plugin: ${errorMessage(error)}`, { cause: error });
      });
    }
    this.asked = [...new Set(names)];
  }

  /** Rejects `forbidden`, or `internal` when a plugin cannot say: both with dockerd's words. */
  authorizeRequest(request: AuthorizationRequest): Promise<void> {
    return this.ask("AuthZPlugin.AuthZReq", request);
  }

  authorizeResponse(response: AuthorizationResponse): Promise<void> {
    return this.ask("AuthZPlugin.AuthZRes", response);
  }

  private async ask(method: string, message: object): Promise<void> {
    for (const name of this.names) {
      const { Allow, Msg = "" } = await this.call(name, method, message);
      if (Allow !== true) throw forbidden(`authorization denied by plugin ${name}: ${Msg}`);
    }
  }

  private async call(name: string, method: string, message: object): Promise<{ Allow?: boolean; Msg?: string }> {
    try {
      const { client } = await this.plugins.get(name, "authz");
      return await client.call<{ Allow?: boolean; Msg?: string }>(method, message);
    } catch (error) {
      throw internal(`plugin ${name} failed with error: ${errorMessage(error)}`, { cause: error });
    }
  }
}
