/**
 * The law of imports: which part may import which, so that the core imports nothing, and a user who imports
 * one adapter does not load another adapter's driver.
 *
 * @module
 */

/** The imports that a part of the repository may have beside core and http. */
interface Reach {
  /** Packages, and modules of the platform. */
  readonly drivers: readonly string[];
  /** Other parts of its kind. */
  readonly others: readonly string[];
}

/** The imports of each adapter beside core and http: its driver, and the modules that adapters share. */
export const ADAPTERS: Readonly<Record<string, Reach>> = {
  memory: { drivers: [], others: [] },
  // The store and the fence in SQL, which all drivers of Postgres share. No driver.
  sql: { drivers: [], others: [] },
  postgres: { drivers: ["postgres"], others: ["sql"] },
  pg: { drivers: ["pg"], others: ["sql"] },
  // It keeps its files on disk, so it needs the file system for its lock.
  pglite: {
    drivers: ["@electric-sql/pglite", "node:fs/promises", "node:os", "node:process"],
    others: ["sql"],
  },
  http: { drivers: [], others: [] },
  qstash: { drivers: ["@upstash/qstash"], others: [] },
  upstash_redis: { drivers: ["@upstash/redis"], others: [] },
};

/** The imports of each program for development and tests. */
export const DEVTOOLS: Readonly<Record<string, Reach>> = {
  qstash_emulator: { drivers: ["croner", "node:process", "node:util"], others: ["server"] },
  // It connects to a Redis server over TCP.
  upstash_redis_proxy: {
    drivers: ["ioredis", "node:buffer", "node:process", "node:util"],
    others: ["server"],
  },
  // The shared HTTP server.
  server: {
    drivers: ["node:http", "node:net", "node:process", "node:stream", "node:stream/promises"],
    others: [],
  },
};

/**
 * A part of the repository: core, the bus, what both ends of HTTP share, one adapter, the edge, its
 * description, the client, one program for development, the kit for tests of users, the suites for authors of
 * adapters, the entry point, or all the rest.
 */
export type Room =
  | {
    readonly kind:
      | "core"
      | "bus"
      | "http"
      | "edge"
      | "openapi"
      | "client"
      | "testing"
      | "conformance"
      | "entry"
      | "other";
  }
  | { readonly kind: "adapter" | "devtool"; readonly name: string };

type NamedRoom = Extract<Room, { readonly name: string }>;

/** The part of the repository of a file, from its path in the repository. */
export function roomOf(path: string): Room {
  if (path === "mod.ts" || path === "ports.ts") return { kind: "entry" };
  if (path.startsWith("edge/openapi/")) return { kind: "openapi" };
  if (path.startsWith("devtools/testing/")) return { kind: "testing" };
  if (path.startsWith("devtools/conformance/")) return { kind: "conformance" };
  const [first = "", name = ""] = path.split("/");
  switch (first) {
    case "core":
    case "bus":
    case "http":
    case "edge":
    case "client":
      return { kind: first };
    case "adapters":
      return { kind: "adapter", name };
    case "devtools":
      return { kind: "devtool", name };
    default:
      return { kind: "other" };
  }
}

/** Whether it is in the published package. */
export function isShipped(room: Room): boolean {
  return room.kind !== "other";
}

/**
 * Why the file at `path` may not import `specifier`; null when it may.
 *
 * @param path The path of the importing file in the repository, with forward slashes.
 */
export function importProblem(path: string, specifier: string): string | null {
  const room = roomOf(path);
  if (/^(jsr|npm|https?|data|file):/.test(specifier)) {
    return "dependencies come from npm, by their names in the import map of deno.json";
  }
  if (!isShipped(room)) return null;
  if (!specifier.startsWith(".")) return packageProblem(room, specifier);
  const target = roomOf(new URL(specifier, `file:///${path}`).pathname.slice(1));
  return mayReach(room, target) ? null : `${describe(room)} may not import ${describe(target)}`;
}

function packageProblem(room: Room, specifier: string): string | null {
  if (specifier === "@atlast/bus" || specifier.startsWith("@atlast/bus/")) {
    return "shipped files import each other by relative path";
  }
  const name = packageOf(specifier);
  const allowed = packagesOf(room);
  return allowed.includes(name)
    ? null
    : `${describe(room)} may import ${allowed.join(", ") || "no package"}, not ${name}`;
}

/** The packages that a part may import, beside those of parts that it may import. */
export function packagesOf(room: Room): readonly string[] {
  switch (room.kind) {
    case "adapter":
      return ADAPTERS[room.name]?.drivers ?? [];
    case "devtool":
      return DEVTOOLS[room.name]?.drivers ?? [];
    case "edge":
      return ["hono"];
    // Separate from the edge, so that no app loads a schema library.
    case "openapi":
      return ["zod"];
    // Separate from the kit, so that tests of users load no library for random sequences.
    case "conformance":
      return ["fast-check", "node:assert/strict"];
    default:
      return [];
  }
}

/** The package of a specifier: `hono` of `hono/jsx`; of `node:` modules the whole. */
function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

function mayReach(from: Room, to: Room): boolean {
  switch (from.kind) {
    case "core":
      return to.kind === "core";
    case "bus":
    case "entry":
      return to.kind === "core" || to.kind === "bus";
    case "http":
      return to.kind === "core" || to.kind === "http";
    case "edge":
    case "client":
      return ["core", "bus", "http", from.kind].includes(to.kind);
    case "openapi":
      return ["core", "http", "edge", "openapi"].includes(to.kind);
    // It makes a bus in memory.
    case "testing":
      return ["core", "bus", "testing"].includes(to.kind) ||
        (to.kind === "adapter" && to.name === "memory");
    case "conformance":
      return ["core", "bus", "conformance"].includes(to.kind);
    case "adapter":
      return to.kind === "core" || to.kind === "http" || isAmong(from, to, ADAPTERS);
    case "devtool":
      return to.kind === "core" || to.kind === "http" || isAmong(from, to, DEVTOOLS);
    case "other":
      return true;
  }
}

function isAmong(from: NamedRoom, to: Room, all: Readonly<Record<string, Reach>>): boolean {
  if (to.kind !== from.kind) return false;
  return to.name === from.name || (all[from.name]?.others ?? []).includes(to.name);
}

function describe(room: Room): string {
  switch (room.kind) {
    case "core":
      return "the pure core";
    case "bus":
      return "the bus";
    case "entry":
      return "an entry of the package";
    case "adapter":
      return `adapter ${room.name}`;
    case "devtool":
      return `devtools/${room.name}`;
    case "http":
      return "http";
    case "edge":
      return "edge";
    case "openapi":
      return "edge/openapi";
    case "client":
      return "client";
    case "testing":
      return "devtools/testing";
    case "conformance":
      return "devtools/conformance";
    case "other":
      return "a file that is not shipped";
  }
}
