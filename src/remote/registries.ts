/** The registries as the engine sees them: repositories to pull from and push to, login, search, and a look at a manifest. */

import type { SearchResult } from "../api/images.ts";
import { EngineError, errorKind, errorMessage, internal, invalidArgument, unauthorized } from "../base/errors.ts";
import { bodyOf, collect } from "../base/streams.ts";
import { asObject, asString, optional, parseJson } from "../oci/json.ts";
import { type Descriptor, parseManifest } from "../oci/manifest.ts";
import type { Platform } from "../oci/platform.ts";
import { parseAnyReference, type Reference, withDefaultTag } from "../oci/reference.ts";
import { Authenticator, basicHeader, type Credentials } from "./auth.ts";
import { type Endpoint, endpointsOf, hostOf, type RegistryConfig } from "./endpoints.ts";
import { RegistryError, statusLine } from "./registry-error.ts";
import { Repository } from "./repository.ts";
import { Transport } from "./transport.ts";

const hubAddress = "index.docker.io";
const maxConfig = 4 << 20;
const maxSearchAnswer = 4 << 20;

export class Registries {
  private readonly config: RegistryConfig;
  private readonly certificates: string[] | undefined;

  constructor(config: RegistryConfig, certificates?: string[]) {
    this.config = config;
    this.certificates = certificates;
  }

  /** The first endpoint that answers, and for which `work` does not fail; mirrors come first. */
  async visit<T>(
    reference: Reference,
    purpose: "pull" | "push",
    credentials: Credentials,
    signal: AbortSignal,
    work: (repository: Repository) => Promise<T>,
  ): Promise<T> {
    let failure: unknown;
    for (const endpoint of await endpointsOf(reference.domain, this.config, purpose)) {
      // A mirror is not the registry that the credentials are for.
      const given = endpoint.mirror ? {} : credentials;
      let reached = false;
      try {
        const { certificates } = this;
        const repository = new Repository({
          endpoint,
          name: reference.path,
          credentials: given,
          purpose,
          certificates,
        });
        await repository.ping(signal);
        reached = true;
        return await work(repository);
      } catch (error) {
        if (signal.aborted || (reached && !endpoint.mirror)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** `POST /auth`. Rejects `unauthorized` for wrong credentials. */
  async login(
    address: string,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<{ status: string; token: string }> {
    const domain = address.replace(/^https?:\/\//, "").split("/")[0] || hubAddress;
    if (!URL.canParse(`https://${domain}`)) {
      throw invalidArgument(
        `unable to parse server address: parse ${JSON.stringify(`https://${domain}`)}: invalid host name`,
      );
    }
    return this.askFirst(domain, (endpoint) =>
      this.loginAt(new Transport(endpoint, this.certificates), credentials, signal),
    );
  }

  /** The first endpoint that answers at all. */
  private async askFirst<T>(domain: string, ask: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const endpoint of await endpointsOf(domain, this.config, "push")) {
      try {
        return await ask(endpoint);
      } catch (error) {
        failure = error;
        if (!(error instanceof RegistryError) || error.status !== 0) throw error;
      }
    }
    throw failure;
  }

  private async loginAt(transport: Transport, credentials: Credentials, signal: AbortSignal) {
    const url = `${transport.endpoint.url}/v2/`;
    const auth = new Authenticator(transport, credentials);
    const first = await transport.fetch(url, { signal });
    await first.body?.cancel();
    auth.learn(first);
    const headers = await auth.headers([], signal, true).catch((error: unknown) => {
      const kind = errorMessage(error) === "no basic auth credentials" ? "unauthorized" : errorKind(error);
      throw new EngineError(kind, `Get ${JSON.stringify(url)}: ${errorMessage(error)}`, { cause: error });
    });
    const second = await transport.fetch(url, { headers, signal });
    await second.body?.cancel();
    if (second.ok) return { status: "Login Succeeded", token: auth.refreshToken };
    const message = `login attempt to ${url} failed with status: ${statusLine(second)}`;
    throw second.status === 401 ? unauthorized(message) : internal(message);
  }

  /** `GET /distribution/{name}/json` */
  async inspect(
    name: string,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<{ Descriptor: Descriptor; Platforms: Platform[] }> {
    const parsed = parseAnyReference(name);
    if ("id" in parsed) throw invalidArgument("no manifest found for full image ID");
    const reference = withDefaultTag(parsed.reference);
    return this.visit(reference, "pull", credentials, signal, async (repository) => {
      const { bytes, digest, mediaType } = await repository.manifest(reference.digest ?? reference.tag ?? "", signal);
      const parsed = parseManifest(bytes);
      const descriptor = { mediaType, digest, size: bytes.length };
      if ("index" in parsed) {
        return { Descriptor: descriptor, Platforms: parsed.index.manifests.flatMap(({ platform }) => platform ?? []) };
      }
      const config = await repository.config(parsed.manifest.config.digest, maxConfig, signal);
      const os = optional(config["os"], "os", asString) ?? "";
      const architecture = optional(config["architecture"], "architecture", asString) ?? "";
      const variant = optional(config["variant"], "variant", asString);
      const platform = { architecture, os, ...(variant ? { variant } : {}) };
      return { Descriptor: descriptor, Platforms: os || architecture ? [platform] : [] };
    });
  }

  /** The index's own search: of the Docker Hub, or of `host/term`. */
  async search(
    term: string,
    limit: number | undefined,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<SearchResult[]> {
    if (term.includes("://"))
      throw invalidArgument(`invalid repository name: repository name (${term}) should not have a scheme`);
    if (limit !== undefined && (limit < 1 || limit > 100)) {
      throw invalidArgument(`limit ${limit} is outside the range of [1, 100]`);
    }
    const slash = term.indexOf("/");
    const host = term.slice(0, Math.max(slash, 0));
    const own = /[.:]|^localhost$/.test(host);
    const query = new URLSearchParams({ q: own ? term.slice(slash + 1) : term, n: String(limit ?? 25) });
    return this.askFirst(own ? host : hubAddress, async (endpoint) => {
      const at = own ? endpoint : { ...endpoint, url: endpoint.url.replace(hostOf(hubAddress), hubAddress) };
      const options = { headers: basicHeader(credentials), signal };
      const response = await new Transport(at, this.certificates).fetch(`${at.url}/v1/search?${query}`, options);
      if (response.status !== 200) throw internal(`Unexpected status code ${response.status}`);
      const body = await collect(bodyOf(response), maxSearchAnswer);
      const answer = asObject(parseJson(body, "search answer", maxSearchAnswer), "search answer");
      return (answer["results"] ?? []) as SearchResult[];
    });
  }
}
