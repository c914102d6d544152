/**
 * The law of imports: who may import whom, so that the core stays free of everything, and a user
 * who imports one adapter pulls in no other's driver.
 *
 * @module
 */

/**
 * What each adapter may import beside core: its driver, and with a reason an adapter it is built on. A
 * folder within an adapter that has an entry of its own, such as `upstash_redis/proxy`, is an adapter of its own.
 */
export const ADAPTERS: Readonly<Record<string, { drivers: string[]; adapters: string[] }>> = {
  memory: { drivers: [], adapters: [] },
  postgres: { drivers: ["postgres"], adapters: [] },
  // The same SQL on another engine; it keeps its files on disk, so it needs the file system for its lock.
  pglite: {
    drivers: ["@electric-sql/pglite", "node:fs/promises", "node:os", "node:process"],
    adapters: ["postgres"],
  },
  http: { drivers: [], adapters: [] },
  shared_store: { drivers: [], adapters: [] },
  qstash: { drivers: ["@upstash/qstash"], adapters: [] },
  // A program for development and tests; it has none of the transport's driver.
  "qstash/emulator": {
    drivers: ["croner", "node:process", "node:util"],
    adapters: ["local_server"],
  },
  upstash_redis: { drivers: ["@upstash/redis"], adapters: [] },
  // A program for development and tests, which talks TCP to a Redis server.
  "upstash_redis/proxy": {
    drivers: ["ioredis", "node:buffer", "node:process", "node:util"],
    adapters: ["local_server"],
  },
  // How servers for development and tests listen.
  local_server: {
    drivers: ["node:http", "node:net", "node:process", "node:stream", "node:stream/promises"],
    adapters: [],
  },
};

/**
 * A part of the repository: core, the bus, what both ends of HTTP share, one adapter, the edge, its
 * description, the client, the entry point, or all the rest.
 */
export type Room =
  | { readonly kind: "core" | "bus" | "http" | "edge" | "openapi" | "client" | "entry" | "other" }
  | { readonly kind: "adapter"; readonly name: string };

/** The room of a file, from its path in the repository. */
export function roomOf(path: string): Room {
  if (path === "mod.ts") return { kind: "entry" };
  if (path.startsWith("core/bus/")) return { kind: "bus" };
  if (path.startsWith("core/http/")) return { kind: "http" };
  if (path.startsWith("core/")) return { kind: "core" };
  if (path.startsWith("edge/openapi/")) return { kind: "openapi" };
  if (path.startsWith("edge/")) return { kind: "edge" };
  if (path.startsWith("client/")) return { kind: "client" };
  const [, adapter, folder] = /^adapters\/([^/]+)(?:\/([^/]+)\/)?/.exec(path) ?? [];
  if (adapter === undefined) return { kind: "other" };
  const part = `${adapter}/${folder}`;
  return { kind: "adapter", name: part in ADAPTERS ? part : adapter };
}

/** Whether a room is part of the published package. */
export function isShipped(room: Room): boolean {
  return room.kind !== "other";
}

/**
 * Why the file at `path` may not import `specifier`; null when it may.
 *
 * @param path Where the importing file is in the repository, with forward slashes.
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

/** The packages that a room may import, beside those of rooms it may reach. */
export function packagesOf(room: Room): readonly string[] {
  switch (room.kind) {
    case "adapter":
      return ADAPTERS[room.name]?.drivers ?? [];
    case "edge":
      return ["hono"];
    // Apart from the edge, so that no app brings a schema library along.
    case "openapi":
      return ["zod"];
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
    case "adapter":
      return to.kind === "core" || to.kind === "http" ||
        (to.kind === "adapter" &&
          (to.name === from.name || (ADAPTERS[from.name]?.adapters ?? []).includes(to.name)));
    case "other":
      return true;
  }
}

function describe(room: Room): string {
  switch (room.kind) {
    case "core":
      return "the pure core";
    case "bus":
      return "core/bus";
    case "entry":
      return "mod.ts";
    case "adapter":
      return `adapter ${room.name}`;
    case "http":
      return "core/http";
    case "edge":
      return "edge";
    case "openapi":
      return "edge/openapi";
    case "client":
      return "client";
    case "other":
      return "a file that is not shipped";
  }
}
