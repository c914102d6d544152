/**
 * Two services on QStash: orders publishes, the emulator delivers to inventory, and nothing runs between
 * requests. Time is the emulator's.
 *
 * @module
 */
import { memoryStore } from "../../adapters/memory/mod.ts";
import type { QstashEmulatorOptions } from "../../devtools/qstash_emulator/mod.ts";
import {
  type QstashTransport,
  qstashTransport,
  type QstashTransportOptions,
} from "../../adapters/qstash/mod.ts";
import {
  qstashDialect,
  verifyQstash,
  type VerifyQstashOptions,
} from "../../adapters/qstash/verify.ts";
import { type App, createApp, type Verify } from "../../edge/mod.ts";
import { type Bus, type BusOptions, createBus, type Subscriber } from "../../mod.ts";
import type { Store } from "../../ports.ts";
import type { Tx } from "./bus_fixture.ts";
import { signingKey } from "./http.ts";
import { Observed } from "./observed.ts";
import { virtualQstash, type VirtualQstashFixture } from "./qstash.ts";

/** Where the services are, as QStash knows them. */
export const ORDERS = "https://orders.example";
export const INVENTORY = "https://inventory.example";

/** A service. */
export interface World {
  readonly qstash: VirtualQstashFixture;
  readonly orders: Service;
  readonly inventory: Service;
  /** The answers of both services to QStash, in order. */
  readonly answers: { readonly host: string; readonly path: string; readonly response: Response }[];
  close(): Promise<void>;
}

/** One of the two services. */
export interface Service {
  readonly bus: Bus<Tx>;
  readonly store: Store<Tx>;
  readonly transport: QstashTransport;
  readonly observed: Observed;
  readonly app: App;
}

/** What a world is made with. */
export interface WorldOptions {
  /** The handlers of inventory. */
  readonly inventory?: readonly Subscriber<Tx>[];
  /** The handlers of orders. */
  readonly orders?: readonly Subscriber<Tx>[];
  readonly transport?: Partial<QstashTransportOptions>;
  readonly emulator?: Omit<QstashEmulatorOptions, "clock">;
  readonly bus?: Partial<BusOptions<Tx>>;
  readonly verify?: Partial<VerifyQstashOptions>;
}

/** Opens both services. */
export async function qstashWorld(options: WorldOptions = {}): Promise<World> {
  const answers: World["answers"] = [];
  const qstash = await virtualQstash(async ({ url }, request) => {
    const { host, pathname: path } = new URL(url);
    const service = url.startsWith(ORDERS) ? orders : inventory;
    const response = await service.app.fetch(request);
    answers.push({ host, path, response: response.clone() });
    return response;
  }, options.emulator);
  const { clock, client } = qstash;
  const service = (url: string, subscribers: readonly Subscriber<Tx>[] = []): Service => {
    const observed = new Observed();
    const store = memoryStore();
    const transport = qstashTransport({
      client,
      clock,
      routes: {
        "order.*": `${ORDERS}/deliver`,
        "stock.*": `${INVENTORY}/deliver`,
        "#": `${INVENTORY}/deliver`,
      },
      failureCallback: `${url}/dead-letter`,
      failureCallbackKeys: [signingKey("f")],
      ...options.transport,
    });
    const bus = createBus<Tx>({
      observe: observed.observe,
      random: () => 0,
      store,
      transport,
      clock,
      ...options.bus,
    }, subscribers);
    const verifyWithKeys: Verify = (request, body) => {
      // The keys as they were when the service was deployed would be the same two after one rotation.
      const { current: currentSigningKey, next: nextSigningKey } = keys;
      return verifyQstash({ currentSigningKey, nextSigningKey, url, clock, ...options.verify })(
        request,
        body,
      );
    };
    const verify = Object.assign(verifyWithKeys, { dialects: [qstashDialect] });
    const app = createApp(bus, {
      verify,
      tick: { verify },
      deadLetters: { verify },
      onError: (error) => observed.observe({ kind: "error", during: "request", error }),
    });
    return { bus, store, transport, observed, app };
  };
  const keys = qstash.emulator.keys;
  const orders = service(ORDERS, options.orders);
  const inventory = service(INVENTORY, options.inventory);
  return {
    qstash,
    orders,
    inventory,
    answers,
    async close() {
      await orders.bus.stop();
      await inventory.bus.stop();
      await qstash.close();
    },
  };
}
