/**
 * Watches how many messages are in flight during a crash run, with a connection of its own to each database.
 *
 * @module
 */
import postgres from "postgres";
import { DATABASE, type ServiceName, SERVICES } from "./protocol.ts";
import { rest } from "./rest.ts";

/** How often it looks, in milliseconds. */
const EVERY_MS = 150;

/** A connection to the server itself, past all faults but the server's. */
export function directly(port: number, database: string = DATABASE): postgres.Sql {
  return postgres(`postgres://postgres@127.0.0.1:${port}/${database}`, {
    max: 1,
    fetch_types: false,
    connect_timeout: 2,
    onnotice: () => {},
  });
}

/** A connection of this process to the database of each service. */
export type Connections = Readonly<Record<ServiceName, postgres.Sql>>;

/** Connects to the database of each service at its address. */
export function connections(addressOf: (service: ServiceName) => number): Connections {
  return { orders: directly(addressOf("orders")), stock: directly(addressOf("stock")) };
}

/** Closes them. */
export async function closeConnections(all: Connections): Promise<void> {
  await Promise.all(SERVICES.map((service) => all[service].end({ timeout: 1 }).catch(() => {})));
}

/** How many records of both services are not settled. One condition for each partial index. */
export async function unsettled(all: Connections): Promise<number> {
  const counts = await Promise.all(SERVICES.map(async (service) => {
    const [row] = await all[service].unsafe(`select
      (select count(*) from ${service}.outbox where state = 'scheduled') +
      (select count(*) from ${service}.outbox where state = 'prepared') +
      (select count(*) from ${service}.inbox where state = 'scheduled') as count`);
    return Number(row?.["count"]);
  }));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The number of messages in flight. */
export class InFlight {
  readonly #connections: Connections;
  readonly #onCount: (count: number) => void;
  #isOver = false;
  #watching: Promise<void> = Promise.resolve();
  /** The last number. While the server is down it stays, and so does what it counts. */
  count = 0;

  private constructor(all: Connections, onCount: (count: number) => void) {
    this.#connections = all;
    this.#onCount = onCount;
  }

  /** Starts to watch; `onCount` is called with each number. */
  static start(all: Connections, onCount: (count: number) => void): InFlight {
    const watch = new InFlight(all, onCount);
    watch.#watching = watch.#watch();
    return watch;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      try {
        this.count = await unsettled(this.#connections);
        this.#onCount(this.count);
      } catch {
        // The server is down. Its clients notice that by themselves.
      }
      await rest(EVERY_MS);
    }
  }
}
