/** Authorization plugins: each is asked before a request is served and before its answer is sent; the first that refuses decides. */
import type { AuthorizationRequest, AuthorizationResponse } from "../api/authorization.ts";
import { errorMessage, forbidden, internal } from "../base/errors.ts";
import type { Plugins } from "./plugins.ts";

export class Authorization {
  readonly names: readonly string[];
  private readonly plugins: Pick<Plugins, "get">;

  constructor(plugins: Pick<Plugins, "get">, names: readonly string[]) {
    this.plugins = plugins;
    this.names = [...new Set(names)];
  }

  /** A daemon that could not ask its plugins does not start. */
  async check(): Promise<void> {
    for (const name of this.names) {
      await this.plugins.get(name, "authz").catch((error: unknown) => {
        throw internal(`failed to validate authorization plugin: ${errorMessage(error)}`, { cause: error });
      });
    }
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
