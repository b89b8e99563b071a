/** Who a client is, by the certificate that its TLS connection was accepted with. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Peer } from "./message.ts";

export function peerOf(socket: Socket): Peer | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject, raw } = socket.getPeerCertificate();
  if (raw === undefined) return undefined;
  const base64 = raw.toString("base64").replace(/.{64}/g, "$&\n");
  const pem = `-----BEGIN CERTIFICATE-----\n${base64.trimEnd()}\n-----END CERTIFICATE-----\n`;
  return { name: String(subject?.CN ?? ""), certificates: [pem] };
}
