/**
 * What a process of the crash run sends with, and how it verifies what comes.
 *
 * @module
 */
import { Redis } from "@upstash/redis";
import type { Transport } from "@atlast/bus/ports";
import type { AppOptions } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { qstashTransport } from "@atlast/bus/qstash";
import { verifyQstash } from "@atlast/bus/qstash/verify";
import { upstashStreamTransport } from "@atlast/bus/upstash-redis";
import { LEASE_MS } from "./plan.ts";
import type { ServiceName, TransportConfig } from "./protocol.ts";

/** How often the processes of a service look for what others of them left in a stream, in milliseconds. */
const TAKE_OVER_MS = 1_000;

/** Nobody delivers over HTTP where a stream carries the messages. */
const REFUSED = { ok: false, kind: "unauthenticated", reason: "not here" } as const;

/** The transport of a process. */
export interface WorkerTransport {
  readonly transport: Transport;
  /** How its edge app verifies. */
  readonly app: AppOptions;
  /** Takes again what the transport has given up. */
  readonly requeue: () => Promise<void>;
}

/** Makes it. Attempts never run out, as with the retry policy of the bus. */
export function workerTransport(
  service: ServiceName,
  config: TransportConfig,
  retry: Parameters<typeof qstashTransport>[0]["retry"] & object,
): WorkerTransport {
  const nothingParked = () => Promise.resolve();
  switch (config.kind) {
    case "http": {
      const signingKeys = [config.signingKey];
      return {
        transport: httpTransport({
          routes: { "stock.#": `${config.peerUrl}/deliver` },
          signingKeys,
        }),
        app: { verify: verifySignature({ signingKeys }) },
        requeue: nothingParked,
      };
    }
    case "stream": {
      const { port, token, prefix } = config;
      const transport = upstashStreamTransport({
        redis: new Redis({ url: `http://127.0.0.1:${port}`, token, enableTelemetry: false }),
        prefix,
        group: service,
        minIdleMs: LEASE_MS,
        takeOverEveryMs: TAKE_OVER_MS,
      });
      return {
        transport,
        app: { verify: () => Promise.resolve(REFUSED) },
        async requeue() {
          for (const { parkedId } of await transport.parked()) await transport.requeue(parkedId);
        },
      };
    }
    case "qstash": {
      const { baseUrl, token, peerUrl, ownUrl, keys } = config;
      const verify = verifyQstash({
        currentSigningKey: keys.current,
        nextSigningKey: keys.next,
        url: ownUrl,
      });
      return {
        transport: qstashTransport({
          baseUrl,
          token,
          retry,
          routes: { "stock.#": `${peerUrl}/deliver` },
          failureCallback: `${ownUrl}/dead-letter`,
        }),
        app: { verify, deadLetters: { verify } },
        requeue: nothingParked,
      };
    }
  }
}
