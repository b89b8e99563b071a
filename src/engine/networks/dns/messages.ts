/** DNS messages (RFC 1035, EDNS0 RFC 6891) as the name service needs them: questions read, answers written. Pure. */
import {
  type Answer,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import { bytesText, findFamily } from "../../../linux/inet.ts";

export interface Question {
  id: number;
  /** As it was asked; compare in lower case. */
  name: string;
  type: string;
  packet: Packet;
  /** Longest answer that the client takes by UDP. */
  udpSize: number;
}

export const responseCodes = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3 } as const;
/** How long clients may keep an answer about a container, in seconds; dockerd's. */
const ttl = 600;
const [leastUdpSize, mostUdpSize] = [512, 4096];

/** undefined: not a question that anybody could answer. */
export function readQuestion(message: Uint8Array): Question | undefined {
  try {
    const packet = decode(Buffer.from(message));
    const [question] = packet.questions ?? [];
    if (packet.type !== "query" || !question) return undefined;
    const edns = packet.additionals?.find(({ type }) => type === "OPT");
    const size = edns && "udpPayloadSize" in edns ? edns.udpPayloadSize : leastUdpSize;
    const udpSize = Math.min(mostUdpSize, Math.max(leastUdpSize, size));
    return { id: packet.id ?? 0, name: question.name, type: question.type, packet, udpSize };
  } catch {
    return undefined;
  }
}

/** An authoritative answer; without records: the name exists but has none of this type. */
export function addressAnswer(question: Question, addresses: readonly string[], limit: number): Buffer {
  const answers: Answer[] = addresses.map((data) => {
    return { type: findFamily(data) === 6 ? "AAAA" : "A", name: question.name, ttl, data };
  });
  return fit(question, answers, limit);
}

export function pointerAnswer(question: Question, name: string, limit: number): Buffer {
  return fit(question, [{ type: "PTR", name: question.name, ttl, data: name }], limit);
}

/** An answer without records. */
export function codeAnswer({ packet, id }: Question, code: number): Buffer {
  const flags = RECURSION_AVAILABLE | ((packet.flags ?? 0) & RECURSION_DESIRED) | code;
  return encode({ type: "response", id, flags, questions: packet.questions ?? [] });
}

/** The header alone, for a message that cannot be read; undefined when even its id is missing. */
export function formatErrorAnswer(message: Uint8Array): Buffer | undefined {
  if (message.length < 12 || ((message[2] ?? 0) & 0x80) !== 0) return undefined;
  const answer = Buffer.alloc(12);
  answer.set(message.subarray(0, 2));
  answer[2] = 0x80 | ((message[2] ?? 0) & 0x79);
  answer[3] = responseCodes.formatError;
  return answer;
}

/** `4.3.2.1.in-addr.arpa` → `1.2.3.4`; below `ip6.arpa` there is a label for each of 32 digits. */
export function reversedAddress(name: string): string | undefined {
  const digits = /^((?:[\da-f]\.){32})ip6\.arpa\.?$/i.exec(name)?.[1];
  if (digits) return bytesText(Buffer.from(digits.replaceAll(".", "").split("").reverse().join(""), "hex"));
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa\.?$/i.exec(name);
  return match ? match.slice(1).reverse().join(".") : undefined;
}

export function responseCode(message: Uint8Array): number {
  return (message[3] ?? 0) & 15;
}

export function isTruncated(message: Uint8Array): boolean {
  return ((message[2] ?? 0) & 2) !== 0;
}

/** The least time to live in an answer, in seconds; undefined when there is none or it cannot be read. */
export function leastTtl(message: Uint8Array): number | undefined {
  try {
    const { answers = [] } = decode(Buffer.from(message));
    const all = answers.flatMap((answer) => ("ttl" in answer && typeof answer.ttl === "number" ? [answer.ttl] : []));
    return all.length > 0 ? Math.min(...all) : undefined;
  } catch {
    return undefined;
  }
}

/** An answer too long for the client's datagrams says so, and the client asks again by TCP. */
export function truncated(question: Question): Buffer {
  const answer = codeAnswer(question, responseCodes.noError);
  answer[2] = (answer[2] ?? 0) | (TRUNCATED_RESPONSE >> 8);
  return answer;
}

function fit(question: Question, answers: Answer[], limit: number): Buffer {
  const { packet, id } = question;
  const flags = RECURSION_AVAILABLE | ((packet.flags ?? 0) & RECURSION_DESIRED);
  const message = encode({ type: "response", id, flags, questions: packet.questions ?? [], answers });
  return message.length <= limit ? message : truncated(question);
}
