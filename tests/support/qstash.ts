/**
 * QStash for tests: the emulator behind a real server, and the official client and `Receiver` for it.
 *
 * @module
 */
import { Client, Receiver } from "@upstash/qstash";
import {
  type QstashEmulator,
  type QstashEmulatorOptions,
  serveQstashEmulator,
  virtualClock,
  type VirtualTime,
} from "../../devtools/qstash_emulator/mod.ts";

/** A delivery as its destination saw it. */
export interface Delivery {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly text: string;
  /** When it came, in Unix milliseconds of the emulator's clock. */
  readonly atMs: number;
}

/** What answers deliveries; a number is a status. */
export type Destination = (
  delivery: Delivery,
  request: Request,
) => Response | number | Promise<Response | number>;

/** QStash for a test. */
export interface QstashFixture {
  /** The URL of its server. */
  readonly url: string;
  readonly emulator: QstashEmulator;
  /** The official client. */
  readonly client: Client;
  /** The official receiver, with the keys as they are now. */
  receiver(): Receiver;
  /** What arrived so far, in order. */
  readonly deliveries: readonly Delivery[];
  /** Ends the server. */
  close(): Promise<void>;
}

/** QStash whose time a test moves. */
export interface VirtualQstashFixture extends QstashFixture {
  readonly clock: VirtualTime;
}

/** QStash in virtual time, which begins now: the official `Receiver` knows no other clock than the system's. */
export async function virtualQstash(
  destination: Destination = () => 200,
  options: Omit<QstashEmulatorOptions, "clock"> = {},
): Promise<VirtualQstashFixture> {
  const clock = virtualClock(Date.now());
  return { ...await realQstash(destination, { ...options, clock }), clock };
}

/**
 * The official client leaves some answers unread, which the tests' leak sanitizer would hold against the test.
 * So what comes from an emulator is read here.
 */
const readFully = (() => {
  const urls = new Set<string>();
  const platformFetch = globalThis.fetch;
  const reading: typeof fetch = async (input, init) => {
    const response = await platformFetch(input, init);
    const url = input instanceof Request ? input.url : String(input);
    if (![...urls].some((one) => url.startsWith(one))) return response;
    const { status, headers } = response;
    return new Response(status === 204 ? null : await response.arrayBuffer(), { status, headers });
  };
  return (url: string): () => void => {
    urls.add(url);
    globalThis.fetch = reading;
    return () => {
      urls.delete(url);
      if (urls.size === 0) globalThis.fetch = platformFetch;
    };
  };
})();

/** QStash in real time, for tests that wait for `emulator.idle()`. */
export async function realQstash(
  destination: Destination = () => 200,
  options: QstashEmulatorOptions = {},
): Promise<QstashFixture> {
  const deliveries: Delivery[] = [];
  const { url, emulator, close } = await serveQstashEmulator({
    fetch: async (request) => {
      const atMs = (options.clock ?? Date).now();
      const body = new Uint8Array(await request.clone().arrayBuffer());
      const delivery = {
        url: request.url,
        method: request.method,
        headers: request.headers,
        body,
        text: new TextDecoder().decode(body),
        atMs,
      };
      deliveries.push(delivery);
      const answer = await destination(delivery, request);
      return typeof answer === "number" ? new Response(null, { status: answer }) : answer;
    },
    ...options,
  });
  const leaveUnread = readFully(url);
  return {
    url,
    emulator,
    client: officialClient(emulator, url),
    receiver: () => {
      const { current, next } = emulator.keys;
      return new Receiver({ currentSigningKey: current, nextSigningKey: next, devMode: false });
    },
    deliveries,
    close() {
      leaveUnread();
      return close();
    },
  };
}

/** The official client for an emulator at a URL, whatever the environment says. */
export function officialClient(emulator: QstashEmulator, url: string, token?: string): Client {
  return new Client({
    baseUrl: url,
    token: token ?? emulator.env(url).QSTASH_TOKEN,
    devMode: false,
    enableTelemetry: false,
    retry: false,
  });
}
