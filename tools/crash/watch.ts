/**
 * Watches how many messages are in flight during a crash run, with a connection of its own to the server.
 *
 * @module
 */
import postgres from "postgres";
import { DATABASE, SERVICES } from "./protocol.ts";
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

/** How many records of both services are not settled. One condition for each partial index. */
export async function unsettled(sql: postgres.Sql): Promise<number> {
  const counts = SERVICES.flatMap((service) => [
    `(select count(*) from ${service}.outbox where state = 'scheduled')`,
    `(select count(*) from ${service}.outbox where state = 'prepared')`,
    `(select count(*) from ${service}.inbox where state = 'scheduled')`,
  ]);
  const [row] = await sql.unsafe(`select ${counts.join(" + ")} as count`);
  return Number(row?.["count"]);
}

/** The number of messages in flight. */
export class InFlight {
  readonly #sql: postgres.Sql;
  readonly #onCount: (count: number) => void;
  #isOver = false;
  #watching: Promise<void> = Promise.resolve();
  /** The last number. While the server is down it stays, and so does what it counts. */
  count = 0;

  private constructor(port: number, onCount: (count: number) => void) {
    this.#sql = directly(port);
    this.#onCount = onCount;
  }

  /** Starts to watch; `onCount` is called with each number. */
  static start(port: number, onCount: (count: number) => void): InFlight {
    const watch = new InFlight(port, onCount);
    watch.#watching = watch.#watch();
    return watch;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#watching;
    await this.#sql.end({ timeout: 1 });
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      try {
        this.count = await unsettled(this.#sql);
        this.#onCount(this.count);
      } catch {
        // The server is down. Its clients notice that by themselves.
      }
      await rest(EVERY_MS);
    }
  }
}
