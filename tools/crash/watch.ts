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

/** The number of messages in flight. */
export class InFlight {
  readonly #look: () => Promise<number>;
  readonly #onCount: (count: number) => void;
  #isOver = false;
  #watching: Promise<void> = Promise.resolve();
  /** The last number. While a server is down it stays, and so does what it counts. */
  count = 0;

  private constructor(look: () => Promise<number>, onCount: (count: number) => void) {
    this.#look = look;
    this.#onCount = onCount;
  }

  /** Starts to watch; `onCount` is called with each number. */
  static start(look: () => Promise<number>, onCount: (count: number) => void): InFlight {
    const watch = new InFlight(look, onCount);
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
        this.count = await this.#look();
        this.#onCount(this.count);
      } catch {
        // A server is down. Its clients notice that by themselves.
      }
      await rest(EVERY_MS);
    }
  }
}
