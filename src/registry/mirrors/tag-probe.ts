/**
 * Whether a tag of an upstream still points at what is here: by HEAD, which the Docker Hub does not count against its limit of pulls, as
 * it does a GET.
 */
import { type Digest, isDigest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { Authenticator, type Credentials } from "../../remote/auth.ts";
import type { Endpoint } from "../../remote/endpoints.ts";
import { Transport } from "../../remote/transport.ts";

const accept = [mediaTypes.dockerManifest, mediaTypes.dockerIndex, mediaTypes.ociManifest, mediaTypes.ociIndex].join(
  ", ",
);

export class TagProbe {
  private readonly endpoint: Endpoint;
  private readonly name: string;
  private readonly transport: Transport;
  private readonly auth: Authenticator;

  /** `name`: the repository's at the upstream. */
  constructor(endpoint: Endpoint, name: string, credentials: Credentials) {
    this.endpoint = endpoint;
    this.name = name;
    this.transport = new Transport(endpoint);
    this.auth = new Authenticator(this.transport, credentials);
  }

  /** Undefined when the upstream does not say: then only a GET tells. Rejects when there is no answer. */
  async digestOf(tag: string, signal: AbortSignal): Promise<Digest | undefined> {
    let response = await this.head(tag, signal);
    if (response.status === 401) {
      this.auth.learn(response);
      this.auth.forget();
      response = await this.head(tag, signal);
    }
    const digest = response.headers.get("docker-content-digest");
    return response.ok && digest !== null && isDigest(digest) ? digest : undefined;
  }

  private async head(tag: string, signal: AbortSignal): Promise<Response> {
    const authorization = await this.auth.headers([`repository:${this.name}:pull`], signal);
    const url = `${this.endpoint.url}/v2/${this.name}/manifests/${tag}`;
    const response = await this.transport.fetch(url, { method: "HEAD", headers: { accept, ...authorization }, signal });
    await response.body?.cancel();
    return response;
  }
}
