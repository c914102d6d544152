/**
 * Reads the command line of the demo.
 *
 * @module
 */

/** The demo's options. */
export interface DemoOptions {
  /** Whether it ends after the reconciliation. */
  readonly once: boolean;
  /** How many orders it places. */
  readonly orders: number;
  /** Decides orders and faults. */
  readonly seed: number;
  /** Where the services keep their data. */
  readonly store: "sql" | "upstash-redis";
  /** A Postgres server; null for PGlite. */
  readonly databaseUrl: string | null;
}

/** The command line is invalid. The message says why. */
export class UsageError extends Error {}

/** What `--help` prints. */
export const HELP =
  `Orders and inventory: two services that end up consistent, whatever fails between them.

Usage: deno task demo [options]

  --once                end after the reconciliation; the exit code is 0 if all is well
  --orders N            how many orders to place, 1 to 10000 (300)
  --seed N              a whole number that decides orders and faults (any)
  --database-url URL    use this Postgres server instead of PGlite; schemas of its own
                        are created there and dropped afterwards
  --store STORE         sql, or upstash-redis: everything in Upstash Redis, which is a Redis
                        server that the demo starts behind the REST proxy (sql)
  --help                show this

Without --once both services stay up after the reconciliation until Ctrl-C.
NO_COLOR=1 turns colours off.`;

const MAX_ORDERS = 10_000;
const MAX_SEED = 2 ** 31 - 1;
const VALUED = ["--orders", "--seed", "--database-url", "--store"];
const FLAGS = ["--once", "--help"];

/**
 * Reads the command line. Returns null if it asks for help.
 *
 * @param random A number in [0, 1), for the seed if none is given.
 * @throws {UsageError}
 */
export function readArguments(args: readonly string[], random: number): DemoOptions | null {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const [option, ...rest] = (args[i] as string).split("=");
    const name = option as string;
    if (given.has(name)) throw new UsageError(`Cannot use ${name} twice: it may be given once`);
    if (FLAGS.includes(name) && rest.length === 0) {
      given.set(name, "");
    } else if (VALUED.includes(name)) {
      const value = rest.length > 0 ? rest.join("=") : args[++i];
      if (value === undefined || value === "" || value.startsWith("--")) {
        throw new UsageError(`Cannot use ${name} without a value: see --help`);
      }
      given.set(name, value);
    } else {
      const options = [...FLAGS, ...VALUED].join(", ");
      throw new UsageError(`Cannot use ${JSON.stringify(name)}: must be one of ${options}`);
    }
  }
  if (given.has("--help")) return null;
  const store = given.get("--store") ?? "sql";
  if (store !== "sql" && store !== "upstash-redis") {
    throw new UsageError(
      `Cannot use --store ${JSON.stringify(store)}: must be sql or upstash-redis`,
    );
  }
  if (store === "upstash-redis" && given.has("--database-url")) {
    throw new UsageError(
      "Cannot use --database-url with --store upstash-redis: only one may be given",
    );
  }
  return {
    once: given.has("--once"),
    orders: readWholeNumber("--orders", given.get("--orders") ?? "300", 1, MAX_ORDERS),
    seed: readWholeNumber(
      "--seed",
      given.get("--seed") ?? String(Math.floor(random * 1e6)),
      0,
      MAX_SEED,
    ),
    store,
    databaseUrl: readDatabaseUrl(given.get("--database-url")),
  };
}

function readWholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(
    `Cannot use ${option} ${JSON.stringify(text)}: must be a whole number from ${least} to ${most}`,
  );
}

/** The URL is not shown, as it may hold a password. */
function readDatabaseUrl(text: string | undefined): string | null {
  if (text === undefined) return null;
  const protocol = URL.canParse(text) ? new URL(text).protocol : "";
  if (protocol === "postgres:" || protocol === "postgresql:") return text;
  throw new UsageError(
    "Cannot use this --database-url: must be postgres://user@host:port/database",
  );
}
