/**
 * What the HTTP tests share: keys, messages, and sending some.
 *
 * @module
 */
import { httpTransport, type HttpTransportOptions } from "../../adapters/http/mod.ts";
import type { Message } from "../../core/message/message.ts";
import type { SendResult } from "../../core/ports/transport.ts";

/** A signing key made of one letter. */
export function signingKey(letter: string, bytes = 32): string {
  return `whsec_${btoa(letter.repeat(bytes))}`;
}

/** The key most tests sign with. */
export const KEY: string = signingKey("k");

/** Where requests go that never leave the process. */
export const DELIVER_URL = "https://receiver.test/deliver";

/** A message; `part` says what is special about it. */
export function testMessage(part: Partial<Message> = {}): Message {
  return {
    id: "m-1",
    name: "order.placed",
    headers: {},
    contentType: "application/json",
    body: `{"orderId":1}`,
    sentAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    ...part,
  };
}

/** Messages `m-1` to `m-count`. */
export function testMessages(count: number): Message[] {
  return Array.from({ length: count }, (_, i) => testMessage({ id: `m-${i + 1}` }));
}

/** Sends messages to one URL through a transport of its own. */
export function send(
  url: string,
  messages: readonly Message[],
  options: Partial<HttpTransportOptions> = {},
): Promise<SendResult[]> {
  const transport = httpTransport({ routes: { "#": url }, signingKeys: [KEY], ...options });
  return transport.send(messages, new AbortController().signal);
}

/** The requests a transport makes for messages; each is answered as if all were handled. */
export async function requestsFor(
  messages: readonly Message[],
  options: Partial<HttpTransportOptions> = {},
): Promise<Request[]> {
  const requests: Request[] = [];
  await send(DELIVER_URL, messages, {
    ...options,
    fetch: (url, init) => {
      requests.push(new Request(url, init));
      return Promise.resolve(new Response(null, { status: 204 }));
    },
  });
  return requests;
}

/** A fetch that is a handler in this process. */
export function fetchFrom(
  handle: (request: Request) => Response | Promise<Response>,
): NonNullable<HttpTransportOptions["fetch"]> {
  return (url, init) => Promise.resolve(handle(new Request(url, init)));
}
