/**
 * The `package.json` of the npm package, from deno.json.
 *
 * @module
 */

/** What is needed of deno.json. */
export interface DenoConfig {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
}

/** The peers. All are optional: a program installs those of the entries that it imports. */
export const PEERS: readonly string[] = [
  "@electric-sql/pglite",
  "@upstash/qstash",
  "@upstash/redis",
  "croner",
  "fast-check",
  "hono",
  "ioredis",
  "pg",
  "postgres",
  "zod",
];

/** The package's `package.json`. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/**
 * Makes the `package.json`.
 *
 * @param config The content of deno.json.
 * @param repository The address of the repository; null leaves it out.
 */
export function manifestOf(config: DenoConfig, repository: string | null): Manifest {
  const exports = Object.entries(config.exports).map(([name, file]) => {
    const path = file.replace(/\.ts$/, "");
    // Types first: TypeScript takes the first condition that fits.
    return [name, { types: `${path}.d.ts`, default: `${path}.js` }];
  });
  return {
    name: config.name,
    version: config.version,
    description: "Reliable messages between services: outbox, inbox, callbacks, half messages",
    keywords: ["outbox", "inbox", "messages", "postgres", "transactions", "exactly-once"],
    license: config.license,
    ...(repository === null ? {} : { repository: { type: "git", url: repository } }),
    type: "module",
    sideEffects: false,
    engines: { node: ">=20" },
    exports: { ...Object.fromEntries(exports), "./package.json": "./package.json" },
    peerDependencies: Object.fromEntries(PEERS.map((name) => [name, rangeOf(name, config)])),
    peerDependenciesMeta: Object.fromEntries(PEERS.map((name) => [name, { optional: true }])),
    publishConfig: { access: "public", provenance: true },
  };
}

/** The packages that are imported and are no peers: users would lack them. */
export function missingPeers(imported: Iterable<string>): string[] {
  const names = [...imported]
    .filter((specifier) => !specifier.startsWith("node:"))
    .map((specifier) => specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/"));
  return [...new Set(names)].filter((name) => !PEERS.includes(name)).sort();
}

/** What is tested and later versions of its major, as the support policy says. */
function rangeOf(name: string, { imports }: DenoConfig): string {
  const [, major, minor] = /@(\d+)\.(\d+)\.\d+$/.exec(imports[name] ?? "") ?? [];
  if (minor === undefined) {
    throw new Error(`Cannot name the peer ${name}: deno.json pins no version`);
  }
  return `^${major}.${minor}.0`;
}
