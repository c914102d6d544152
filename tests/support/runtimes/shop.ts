/**
 * The shop of the examples: its three services on one runtime, each with a database of its own and a
 * stable address.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import type postgres from "postgres";
import { signingKey } from "../http.ts";
import { connect, postgresUrl } from "../postgres.ts";
import { ROOT } from "../repository.ts";
import { newDatabase } from "../two_databases.ts";
import { Changes } from "./changes.ts";
import { Front } from "./front.ts";
import { run } from "./program.ts";
import { type Instance, type Runtime, start, type Variables } from "./runtime.ts";

/** The services of the shop. */
export const SERVICES = ["orders", "inventory", "payments"] as const;
/** One of them. */
export type ServiceName = typeof SERVICES[number];

/** The key that the services of the tests share. */
export const SHOP_KEY: string = signingKey("s");

/** Tells the connections of a test from those of services. */
const TEST_APPLICATION = "shop_test";

/** The time between two calls of a cron, in milliseconds. */
const CRON_MS = 100;

/** The shop. */
export class Shop {
  readonly #runtime: Runtime;
  readonly #changes = new Changes();
  readonly #fronts = new Map<ServiceName, Front>();
  readonly #databases = new Map<
    ServiceName,
    { url: string; sql: postgres.Sql; drop(): Promise<void> }
  >();
  readonly #instances = new Map<ServiceName, Instance>();
  readonly #ended: Instance[] = [];
  readonly #variables: Variables;

  private constructor(runtime: Runtime, variables: Variables) {
    this.#runtime = runtime;
    this.#variables = variables;
  }

  /** Deploys the services, with variables beside those of every shop. */
  static async open(
    runtime: Runtime,
    names: readonly ServiceName[] = SERVICES,
    variables: Variables = {},
  ): Promise<Shop> {
    const shop = new Shop(runtime, variables);
    try {
      await Promise.all(names.map((name) => shop.#prepare(name)));
      await Promise.all(names.map((name) => shop.start(name)));
      return shop;
    } catch (error) {
      await shop.close();
      throw error;
    }
  }

  /** What the world knows a service by. */
  front(name: ServiceName): Front {
    return found(this.#fronts, name);
  }

  /** A service's database. */
  sql(name: ServiceName): postgres.Sql {
    return found(this.#databases, name).sql;
  }

  /** A service as it runs. */
  instance(name: ServiceName): Instance {
    return found(this.#instances, name);
  }

  /** Starts a service, or starts it again with other variables. */
  async start(name: ServiceName, variables: Variables = {}): Promise<void> {
    const url = (service: ServiceName) =>
      this.#fronts.get(service)?.origin ?? "http://nowhere.test";
    const instance = await start(this.#runtime, {
      SERVICE: name,
      DATABASE_URL: found(this.#databases, name).url,
      SIGNING_KEYS: SHOP_KEY,
      ORDERS_URL: url("orders"),
      INVENTORY_URL: url("inventory"),
      PAYMENTS_URL: url("payments"),
      RETRY_MS: "50",
      CHECK_AFTER_MS: "50",
      ...this.#variables,
      ...variables,
    });
    this.#instances.set(name, instance);
    this.front(name).target = instance.origin;
  }

  /** Ends a service, in order or by killing it. */
  async end(name: ServiceName, how: "stop" | "kill"): Promise<void> {
    const instance = this.instance(name);
    this.front(name).target = null;
    this.#instances.delete(name);
    this.#ended.push(instance);
    await instance[how]();
    if (how === "kill") await this.#forget(name);
  }

  /** Kills a service and starts it with other variables; it is gone for a moment. */
  async replace(name: ServiceName, variables: Variables): Promise<void> {
    await this.end(name, "kill");
    await this.start(name, variables);
  }

  /** Waits until something is so, and calls no cron meanwhile. */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    await this.#changes.until(what, isSo);
  }

  /** The same while the crons run, where the runtime has them: often, in place of once a minute. */
  async untilTicked(what: string, isSo: () => Promise<boolean>): Promise<void> {
    let isOver = false;
    const crons = [...this.#instances.values()].map(async ({ tick }) => {
      while (tick !== null && !isOver) {
        await tick();
        await new Promise((resolve) => setTimeout(resolve, CRON_MS));
      }
    });
    try {
      await this.until(what, isSo);
    } finally {
      isOver = true;
      await Promise.all(crons);
    }
  }

  /** Runs a part of a test; when it fails, its error shows what the services printed. */
  async show(part: () => Promise<void>): Promise<void> {
    try {
      await part();
    } catch (error) {
      const logs = [...this.#ended, ...this.#instances.values()].map(({ output }) => output);
      throw new Error(`${error instanceof Error ? error.stack : error}\n${logs.join("\n--\n")}`);
    }
  }

  /** Ends everything, and leaves nothing behind. */
  async close(): Promise<void> {
    await Promise.all([...this.#instances.values()].map((instance) => instance.stop()));
    for (const front of this.#fronts.values()) await front.close();
    for (const { sql, drop } of this.#databases.values()) {
      await sql.end();
      await drop();
    }
  }

  /**
   * Ends what a killed service left running in its database, and lets the time pass for which it has leased
   * its messages.
   */
  async #forget(name: ServiceName): Promise<void> {
    const sql = this.sql(name);
    await sql`
      select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where datname = current_database() and application_name <> ${TEST_APPLICATION}`;
    for (const box of ["outbox", "inbox"]) {
      const exists = await sql`select to_regclass(${`atlast.${box}`}) is not null as exists`;
      if (!exists[0]?.["exists"]) continue;
      await sql`
        update ${sql(`atlast.${box}`)} set lease_until_ms = 0 where lease_until_ms is not null`;
    }
  }

  async #prepare(name: ServiceName): Promise<void> {
    this.#fronts.set(name, await Front.open());
    const server = await postgresUrl();
    const { url, drop } = await newDatabase(server as string);
    const sql = connect(url, { connection: { application_name: TEST_APPLICATION } });
    this.#databases.set(name, { url, sql, drop });
    const migrations = await migrationsOf(name);
    await sql.begin((tx) => tx.unsafe(migrations));
    await this.#changes.watch(sql);
  }
}

/** What the examples' own script prints for a service. */
async function migrationsOf(name: ServiceName): Promise<string> {
  return await run({
    command: process.execPath,
    args: [
      ...["run", "--quiet", "--no-check", "--allow-all", "--config", join(ROOT, "deno.json")],
      ...[join(ROOT, "examples/shop/migrations.ts"), name],
    ],
    cwd: ROOT,
  });
}

function found<Value>(map: ReadonlyMap<ServiceName, Value>, name: ServiceName): Value {
  const value = map.get(name);
  if (value === undefined) throw new Error(`There is no service ${name} now`);
  return value;
}
