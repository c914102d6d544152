/**
 * Every option of docs/options.md is checked for its name and type. The page is generated from the declarations, so
 * that an option that nothing here gives a wrong value to fails.
 *
 * @module
 */
import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { verify as verifyServices } from "../../../bus/verify/mod.ts";
import { createClient } from "../../../client/mod.ts";
import { createRedisProxy, serve } from "../../../devtools/upstash_redis_proxy/mod.ts";
import {
  createQstashEmulator,
  seededFaults,
  serveQstashEmulator,
} from "../../../devtools/qstash_emulator/mod.ts";
import { createTestKit, runHandler } from "../../../devtools/testing/mod.ts";
import { createApp, createCheckBackApp, type EdgeBus } from "../../../edge/mod.ts";
import { openApiDocument } from "../../../edge/openapi/mod.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import { httpCheckBack, httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { inProcessTransport, memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { pgliteFence, pgliteStore } from "../../../adapters/pglite/mod.ts";
import {
  guardPostgres,
  migrate,
  migrationSql,
  postgresFence,
  postgresStore,
} from "../../../adapters/postgres/mod.ts";
import { pgDriver, pgFence, pgStore } from "../../../adapters/pg/mod.ts";
import { qstashAlarm, qstashTransport } from "../../../adapters/qstash/mod.ts";
import { verifyQstash } from "../../../adapters/qstash/verify.ts";
import {
  upstashRedisFence,
  upstashRedisStore,
  upstashStreamTransport,
} from "../../../adapters/upstash_redis/mod.ts";
import { createBus, defineMessage, type RetryPolicy, subscribe } from "../../../mod.ts";
import { Placed } from "../../support/bus_fixture.ts";

/** Options of any type, as a program without a compiler passes them. */
// deno-lint-ignore no-explicit-any -- wrong types are what this is about.
type Options = any;

const key = "whsec_" + btoa("a key of twenty-four bytes".padEnd(32, "."));
const signingKeys = [key];
const url = "https://orders.example/route";
const verify = () => ({ ok: true });
const ports = () => ({ store: memoryStore(), transport: inProcessTransport() });
const fence = memoryFence();
const bus = () => createBus({ ...ports(), fence }, [subscribe(Placed, { group: "g" }, () => {})]);
const app = (options: Options) =>
  createApp(bus() as EdgeBus, { verify, ...options } as Options) as unknown;
const pool = { connect: () => {}, on: () => {} } as Options;
const postgres = Object.assign(() => {}, { unsafe: () => {}, begin: () => {} }) as Options;
const pglite = { query: () => {}, transaction: () => {} } as Options;
const redis = { pipeline: () => {} } as Options;
const retryWith = (policy: object) => (options: Options) =>
  createBus({ ...ports(), retry: { ...policy, ...options } as RetryPolicy });

/** How the options of each section of the page are passed, beside those that are required. */
const SECTIONS: Readonly<Record<string, (options: Options) => unknown>> = {
  BusOptions: (options) => createBus({ ...ports(), ...options }),
  SharedStoreOptions: (sharedStore) => createBus({ ...ports(), sharedStore }),
  ExpiryPolicy: (expiry) => createBus({ ...ports(), expiry }),
  CheckPolicy: (check) => createBus({ ...ports(), check }),
  HealthOptions: (options) => bus().health(options),
  CapRetry: retryWith({
    kind: "cap",
    immediateAttempts: 1,
    pauseMs: 1,
    intervalMs: 1,
    maxAttempts: 1,
  }),
  FixedRetry: retryWith({ kind: "fixed", delayMs: 1, maxAttempts: 1 }),
  ExponentialRetry: retryWith({ kind: "exponential", baseMs: 1, capMs: 1, maxAttempts: 1 }),
  ListedRetry: retryWith({ kind: "list", delaysMs: [1] }),
  ContractOptions: (options) => defineMessage("a.b", { body: Placed.body, ...options }),
  PublishOptions: (options) => bus().publish(Placed, { n: 1 }, options),
  RawOptions: (options) => bus().publishRaw({ name: Placed.name, body: "{}" }, options),
  SubscribeOptions: (options) => subscribe(Placed, { group: "g", ...options }, () => {}),
  AppOptions: app,
  PublishRouteOptions: (publish) => app({ publish: { verify, names: ["a.b"], ...publish } }),
  HalfMessageRouteOptions: (half) => app({ halfMessages: { verify, signingKeys, ...half } }),
  CheckBackOptions: (check) =>
    app({ checkBack: { verify, signingKeys, participant: "orders", ...check } }),
  QueryOptions: (query) => app({ query: { verify, ...query } }),
  DeadLetterRouteOptions: (deadLetters) => app({ deadLetters: { verify, ...deadLetters } }),
  CheckBackAppOptions: (options) =>
    createCheckBackApp(fence, { verify, signingKeys, participant: "orders", ...options }),
  OpenApiOptions: (options) => openApiDocument({ serverUrl: url, ...options }),
  Principal: (principal) =>
    verifySignature({ signingKeys, principal: { name: "a", kind: "service", ...principal } }),
  StatelessAppOptions: (options) => createStatelessApp([], { verify, ...options }),
  StatelessOptions: (options) => createStatelessApp([], { verify, ...options }),
  VerifyOptions: (options) => verifyServices({ services: [], ...options }),
  VerifiedService: (service) =>
    verifyServices({ services: [{ name: "s", store: memoryStore(), ...service }] }),
  ClientOptions: (options) =>
    createClient({ url, participant: "orders", fence, signingKeys, ...options }),
  SqlStoreOptions: (options) => postgresStore(postgres, options),
  SqlFenceOptions: (options) => postgresFence(postgres, options),
  PgDriverOptions: (options) => [
    pgDriver(pool, options),
    pgStore(pool, options),
    pgFence(pool, options),
  ],
  GuardPostgresOptions: (options) => guardPostgres(postgres, options),
  MigrationOptions: (options) => migrate({ query: () => Promise.resolve({ rows: [] }) }, options),
  MigrationSqlOptions: (options) => migrationSql(options),
  PgliteStoreOptions: (options) => [pgliteFence(pglite, options), pgliteStore(pglite, options)],
  UpstashRedisOptions: (options) => upstashRedisStore({ redis, ...options }),
  UpstashRedisFenceOptions: (options) => upstashRedisFence({ redis, ...options }),
  UpstashStreamTransportOptions: (options) =>
    upstashStreamTransport({ redis, group: "g", ...options }),
  HttpTransportOptions: (options) => httpTransport({ routes: {}, signingKeys, ...options }),
  HttpTarget: (target) => httpTransport({ routes: { a: [{ url, ...target }] }, signingKeys }),
  VerifySignatureOptions: (options) => verifySignature({ signingKeys, ...options }),
  HttpCheckBackOptions: (options) => httpCheckBack({ url, signingKeys, ...options }),
  QstashTransportOptions: (options) => qstashTransport({ token: "t", routes: {}, ...options }),
  QstashAccess: (options) =>
    qstashTransport({ ..."client" in options ? {} : { token: "t" }, routes: {}, ...options }),
  QstashChoices: (options) => qstashTransport({ token: "t", routes: {}, ...options }),
  QstashAlarmOptions: (options) =>
    qstashAlarm({ token: "t", name: "orders", tickUrl: url, ...options }),
  VerifyQstashOptions: (options) =>
    verifyQstash({ currentSigningKey: "a", nextSigningKey: "b", url, ...options }),
  TestKitOptions: (options) => createTestKit(options).stop(),
  DrainOptions: (options) => createTestKit().drained(options),
  FaultOptions: (options) => createTestKit().inject("send_fails", options),
  RunHandlerOptions: (options) =>
    runHandler(subscribe(Placed, { group: "g" }, () => {}), { n: 1 }, options),
  QstashEmulatorOptions: (options) => createQstashEmulator(options),
  QstashServerOptions: (options) => serveQstashEmulator(options),
  SeededFaultsOptions: (options) => seededFaults({ seed: 1, rate: 0.5, ...options }),
  RedisProxyOptions: (options) =>
    createRedisProxy({ redisUrl: "redis://127.0.0.1:1", token: "t", ...options }),
  ServeOptions: (options) => serve(() => new Response(), { port: 0, ...options }),
};

/** What is not an option: the body of a failure callback; and a list of types, which `HttpTransport` covers. */
const NO_OPTIONS = ["FailureReport", "HttpDestination"];

/** Values of other types than most options have, and the words in a declared type that allow each. */
const VALUES: readonly (readonly [title: string, value: unknown, allowedBy: RegExp])[] = [
  ["a text", "60000", /string|"|Body|Url|URL|Detail|Kind|Plan|Names/],
  ["a flag as a text", "true", /string|"|Body|Url|URL|Detail|Kind|Plan|Names/],
  ["NaN", NaN, /^$/],
  ["a bigint", 5n, /^$/],
  ["a symbol", Symbol("s"), /^$/],
  ["a number", 7, /number|^1 \|/],
  ["a flag", true, /boolean/],
  ["a date", new Date(5), /^object$/],
  ["null", null, /null/],
  ["a list", [], /readonly |\[\]|^object$|HalfNames/],
  [
    "a list of a text",
    ["60000"],
    /string\)?\[\]|^object$|HalfNames|OperationPath|audience|null\)\[\]/,
  ],
  ["a list of numbers", [7], /number\[\]|^object$|DeliveryFault/],
  [
    "an object",
    {},
    /Partial|Record|Options|Faults|Keys|^object$|Routes|HalfNames|Tx|SqlClient|CallbackContract/,
  ],
  ["a function", () => {}, /=>|Observer|Verify|Fetch|OnError|Tx|SqlClient/],
];

interface Option {
  readonly section: string;
  readonly name: string;
  readonly type: string;
}

const page = await readFile(new URL("../../../docs/options.md", import.meta.url), "utf8");

function optionsOf(text: string): Option[] {
  return text.split(/^### /m).slice(1).flatMap((part) => {
    const [section = ""] = part.split("\n");
    const entries = part.split(/^- (?=\*\*`)/m).slice(1).map((entry) => entry.replace(/\s+/g, " "));
    return entries.map((entry) => {
      const [, name = "", type = ""] = /^\*\*`([^`]+)`\*\*: `([^`]+)`/.exec(entry) ?? [];
      return { section, name, type };
    });
  });
}

/** Sets an option by its path, such as `tick.verify`. */
function withOption(name: string, value: unknown): Options {
  const [first = "", ...rest] = name.split(".");
  return { [first]: rest.length === 0 ? value : withOption(rest.join("."), value) };
}

/** The store refuses a `tx` that is none. */
const CODES = ["invalid_option", "invalid_name", "invalid_id", "unsupported", "no_transaction"];

async function refusalOf(make: () => unknown): Promise<unknown> {
  try {
    const made = await make() as { close?: () => Promise<void> } | null | undefined;
    await made?.close?.();
    return undefined;
  } catch (error) {
    return error;
  }
}

const all = optionsOf(page).filter(({ section }) => !NO_OPTIONS.includes(section));

describe("every option of the page", () => {
  it("is read", () => {
    assert.ok(all.length > 230, `${all.length} options`);
    assert.deepEqual(all.filter(({ name, type }) => name === "" || type === ""), []);
    assert.deepEqual(new Set(all.map(({ section }) => section)), new Set(Object.keys(SECTIONS)));
  });

  for (const section of new Set(all.map((each) => each.section))) {
    const make = SECTIONS[section] ?? (() => {});
    it(`of ${section} is refused with a value of another type`, async () => {
      for (const { name, type } of all.filter((each) => each.section === section)) {
        for (const [title, value, allowedBy] of VALUES) {
          if (allowedBy.test(type)) continue;
          const what = `${section}.${name}, a ${type}, given ${title}`;
          const error = await refusalOf(() => make(withOption(name, value))) as
            | { code?: string; message?: string }
            | undefined;
          assert.ok(error !== undefined, `${what}: is taken`);
          assert.ok(CODES.includes(error.code ?? ""), `${what}: ${error}`);
          assert.match(error.message ?? "", /^Cannot .+want /, what);
        }
      }
    });

    it(`of ${section} is refused under another name, and the error has the right one`, async () => {
      for (const { name } of all.filter((each) => each.section === section)) {
        const parent = name.slice(0, name.lastIndexOf(".") + 1);
        const own = name.slice(parent.length);
        const misspelt = [own.slice(0, -1), own[0] + own, own.toUpperCase()]
          .map((other) => [other, `want ${own}$`] as const)
          // Of a short name too little is left to recognise it.
          .filter(([other]) => other.length > 3);
        for (const [other, want] of [...misspelt, ["elsewhere", `want .*\\b${own}\\b`] as const]) {
          for (const value of [7, undefined]) {
            const error = await refusalOf(() => make(withOption(parent + other, value))) as
              | { code?: string; message?: string }
              | undefined;
            const what = `${section}.${parent}${other}: ${value}: ${error}`;
            assert.equal(error?.code, "invalid_option", what);
            const pattern = `^Cannot .+ unknown option "${other}".*: ${want}`;
            assert.match(error?.message ?? "", new RegExp(pattern), what);
          }
        }
      }
    });

    it(`of ${section} cannot be given at once as something else than an object`, async () => {
      // Each of them needs something, or takes the options by themselves.
      if (!WHOLE.includes(section)) return;
      for (const options of [null, 500, "fast", [], new Date(5), () => {}]) {
        const error = await refusalOf(() => make(options)) as { code?: string } | undefined;
        assert.equal(error?.code, "invalid_option", `${section}: ${String(options)}: ${error}`);
      }
    });
  }
});

/** The sections whose options are the whole argument. */
const WHOLE = [
  "HealthOptions",
  "ExpiryPolicy",
  "CheckPolicy",
  "PublishOptions",
  "RawOptions",
  "SqlStoreOptions",
  "SqlFenceOptions",
  "PgDriverOptions",
  "GuardPostgresOptions",
  "MigrationOptions",
  "MigrationSqlOptions",
  "PgliteStoreOptions",
  "QstashEmulatorOptions",
  "QstashServerOptions",
];
