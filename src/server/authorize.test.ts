import { expect, test } from "bun:test";
import type { AuthorizationRequest } from "../api/authorization.ts";
import { Logger } from "../base/log.ts";
import { authorized } from "./authorize.ts";
import { ask, request } from "./fake-engine.ts";

test("plugins learn who the client is by its certificate, as Go's reads it from JSON", async () => {
  const seen: AuthorizationRequest[] = [];
  const authorizer = {
    names: ["plugin"],
    authorizeRequest: async (message: AuthorizationRequest) => void seen.push(message),
    authorizeResponse: async () => undefined,
  };
  const pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  const peer = () => ({ name: "someone", certificates: [pem] });
  const handler = authorized(authorizer, async () => ({ status: 200 }), new Logger("fatal"));
  await handler({ ...request("GET /info"), peer });
  expect(seen).toMatchObject([
    {
      User: "someone",
      UserAuthNMethod: "TLS",
      RequestPeerCertificates: [Buffer.from(pem).toString("base64")],
      RequestUri: "/info",
    },
  ]);
  expect((await ask(handler, "GET /info")).status).toBe(200);
  expect(seen[1]?.User).toBeUndefined();
});
