import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ADAPTERS, DEVTOOLS, roomOf } from "../../tools/laws/imports.ts";
import plugin from "../../tools/laws/plugin.ts";
import { readText, ROOT, shippedFiles } from "../support/repository.ts";

/** The rules that a source breaks, each once. */
function broken(path: string, source: string): string[] {
  const found = Deno.lint.runPlugin(plugin, ROOT + path, source);
  return [...new Set(found.map(({ id }) => id.replace("atlast/", "")))];
}

describe("the law of purity", () => {
  const impure = [
    "export const now = Date.now();",
    'export const now = Date["now"]();',
    "const { now } = Date;",
    "const clock = Date;",
    "export const now = new Date();",
    "export const now = Date();",
    "export const chance = Math.random();",
    "const { random } = Math;",
    "export const now = performance.now();",
    "export const zone = new Intl.DateTimeFormat();",
    "export const hour = new Date(0).getHours();",
    "export const text = (5).toLocaleString();",
    "export const id = globalThis.crypto;",
    "export async function f() {}",
    "export const f = async () => {};",
    "export class A { async m() {} }",
    "export const p = Promise.resolve();",
    "export const p = new Promise(() => {});",
    "export const all = (Promise as unknown as { all(): void }).all();",
    "export const make = Promise;",
    "export function f(xs: AsyncIterable<1>) { for await (const x of xs) x; }",
    "let calls = 0;",
    "export let calls = 0;",
    'export const other = import("./id.ts");',
  ];
  for (const source of impure) {
    it(`refuses ${source}`, () => assert.deepEqual(broken("core/x.ts", source), ["pure-core"]));
  }

  const pure = [
    "export const then = new Date(0).toISOString();",
    "export const day = Date.parse('2026-01-01T00:00:00Z') + Math.floor(1.5);",
    "export interface Port { send(): Promise<void> }",
    "export type Clock = { performance: number; Promise?: string };",
    "export function f(): number { let n = 0; n += 1; return n; }",
  ];
  for (const source of pure) {
    it(`lets pass ${source}`, () => assert.deepEqual(broken("core/x.ts", source), []));
  }

  it("holds for core alone", () => {
    const source = "export const now = async () => await Promise.resolve(Date.now());";
    const free = ["bus", "http", "adapters/memory", "edge", "client", "devtools", "tests"];
    for (const path of free.map((folder) => `${folder}/x.ts`)) {
      assert.deepEqual(broken(path, source), [], path);
    }
  });
});

describe("the law of providers", () => {
  const refused = [
    "export const qstash = 1;",
    "export const forQstash = (receiver: number) => receiver;",
    'export const header = "Upstash-Retried";',
    "export const header = `x-${1}-upstash`;",
    "export interface Options { cloudflareEnv: 1 }",
    "export const isTask = /x-cloudtasks/;",
    'export type Broker = "nats" | "RabbitMQ";',
  ];
  for (const source of refused) {
    it(`refuses ${source}`, () => {
      for (const folder of ["core", "bus/publish", "http", "edge/routes", "edge/openapi"]) {
        assert.deepEqual(broken(`${folder}/x.ts`, source), ["no-provider"], folder);
      }
      for (const folder of ["adapters/qstash", "devtools/qstash_emulator", "tests"]) {
        assert.deepEqual(broken(`${folder}/x.ts`, source), [], folder);
      }
    });
  }

  it("lets pass an example in a comment, and other words", () => {
    const source = '/** Such as `verifyQstash`. */\nexport const signatsure = "senats";';
    assert.deepEqual(broken("edge/x.ts", source), []);
  });
});

describe("the law of imports", () => {
  const refused: readonly (readonly [string, string])[] = [
    ["core/x.ts", "../bus/api/bus.ts"],
    ["core/x.ts", "../adapters/memory/mod.ts"],
    ["core/x.ts", "../edge/mod.ts"],
    ["core/x.ts", "../mod.ts"],
    ["core/x.ts", "zod"],
    ["core/x.ts", "node:crypto"],
    ["bus/x.ts", "../adapters/memory/mod.ts"],
    ["bus/publish/x.ts", "../../edge/mod.ts"],
    ["bus/x.ts", "node:timers"],
    ["bus/x.ts", "@atlast/bus"],
    ["core/x.ts", "../http/signature.ts"],
    ["bus/x.ts", "../http/signature.ts"],
    ["http/x.ts", "../bus/api/bus.ts"],
    ["http/x.ts", "hono"],
    ["client/x.ts", "../adapters/http/mod.ts"],
    ["client/x.ts", "../edge/mod.ts"],
    ["client/x.ts", "../mod.ts"],
    ["client/x.ts", "hono"],
    ["edge/x.ts", "../client/mod.ts"],
    ["bus/x.ts", "../client/mod.ts"],
    ["adapters/http/x.ts", "../../client/mod.ts"],
    ["mod.ts", "./client/mod.ts"],
    ["mod.ts", "./http/signature.ts"],
    ["adapters/http/x.ts", "../memory/mod.ts"],
    ["adapters/http/x.ts", "../../bus/api/bus.ts"],
    ["adapters/http/x.ts", "../../edge/mod.ts"],
    ["adapters/http/x.ts", "hono"],
    ["adapters/http/x.ts", "postgres"],
    ["adapters/memory/x.ts", "postgres"],
    ["adapters/postgres/x.ts", "@electric-sql/pglite"],
    ["adapters/postgres/x.ts", "../pglite/mod.ts"],
    ["adapters/pglite/x.ts", "../postgres/mod.ts"],
    ["adapters/sql/x.ts", "../postgres/mod.ts"],
    ["adapters/sql/x.ts", "postgres"],
    ["adapters/qstash/x.ts", "../../devtools/qstash_emulator/mod.ts"],
    ["mod.ts", "./devtools/server/listen.ts"],
    ["adapters/pglite/x.ts", "../memory/mod.ts"],
    ["adapters/unheard_of/x.ts", "redis"],
    ["edge/x.ts", "../adapters/http/mod.ts"],
    ["adapters/upstash_redis/x.ts", "ioredis"],
    ["adapters/upstash_redis/x.ts", "../../devtools/upstash_redis_proxy/mod.ts"],
    ["devtools/upstash_redis_proxy/x.ts", "@upstash/redis"],
    ["devtools/testing/x.ts", "../qstash_emulator/mod.ts"],
    ["devtools/testing/x.ts", "../../adapters/http/mod.ts"],
    ["devtools/testing/x.ts", "../../mod.ts"],
    ["devtools/testing/x.ts", "fast-check"],
    ["devtools/testing/x.ts", "node:test"],
    ["devtools/testing/x.ts", "../conformance/mod.ts"],
    ["devtools/conformance/x.ts", "node:test"],
    ["devtools/conformance/x.ts", "../testing/mod.ts"],
    ["devtools/conformance/x.ts", "../../adapters/memory/memory_store.ts"],
    ["adapters/memory/x.ts", "../../devtools/conformance/mod.ts"],
    ["mod.ts", "./devtools/testing/mod.ts"],
    ["bus/x.ts", "../devtools/testing/mod.ts"],
    ["devtools/upstash_redis_proxy/x.ts", "../qstash_emulator/mod.ts"],
    ["edge/x.ts", "zod"],
    ["edge/x.ts", "./openapi/mod.ts"],
    ["edge/openapi/x.ts", "hono"],
    ["edge/openapi/x.ts", "../../bus/api/bus.ts"],
    ["mod.ts", "./adapters/memory/mod.ts"],
    ["mod.ts", "./edge/mod.ts"],
    ["mod.ts", "hono"],
    ["adapters/postgres/x.ts", "npm:postgres@3"],
    ["tests/x.ts", "jsr:@std/assert"],
    ["examples/x.ts", "https://example.com/mod.ts"],
  ];
  for (const [path, specifier] of refused) {
    it(`refuses ${specifier} in ${path}`, () => {
      assert.deepEqual(broken(path, `import "${specifier}";`), ["imports"]);
    });
  }

  const allowed: readonly (readonly [string, string])[] = [
    ["core/x.ts", "./message/id.ts"],
    ["bus/x.ts", "../core/message/id.ts"],
    ["bus/x.ts", "./api/bus.ts"],
    ["devtools/qstash_emulator/x.ts", "../server/listen.ts"],
    ["devtools/testing/x.ts", "../../adapters/memory/memory_store.ts"],
    ["devtools/testing/x.ts", "../../bus/create_bus.ts"],
    ["devtools/testing/x.ts", "../../core/errors.ts"],
    ["devtools/conformance/x.ts", "fast-check"],
    ["devtools/conformance/x.ts", "node:assert/strict"],
    ["devtools/conformance/x.ts", "../../bus/settings/ids.ts"],
    ["devtools/conformance/x.ts", "../../core/errors.ts"],
    ["adapters/postgres/x.ts", "postgres"],
    ["adapters/postgres/sql/x.ts", "../../../core/ports.ts"],
    ["adapters/pglite/x.ts", "../sql/store.ts"],
    ["adapters/pglite/x.ts", "@electric-sql/pglite"],
    ["adapters/upstash_redis/x.ts", "@upstash/redis"],
    ["devtools/upstash_redis_proxy/x.ts", "ioredis"],
    ["edge/x.ts", "hono"],
    ["edge/openapi/x.ts", "zod"],
    ["edge/openapi/x.ts", "../../http/url.ts"],
    ["edge/openapi/x.ts", "../tick_budget.ts"],
    ["edge/x.ts", "hono/body-limit"],
    ["edge/x.ts", "../bus/api/bus.ts"],
    ["edge/x.ts", "../http/signature.ts"],
    ["http/x.ts", "../core/wire/wire.ts"],
    ["adapters/http/x.ts", "../../http/signature.ts"],
    ["client/x.ts", "../bus/half/participant.ts"],
    ["client/x.ts", "../http/post.ts"],
    ["client/x.ts", "../core/contract.ts"],
    ["mod.ts", "./bus/api/bus.ts"],
    ["tests/x.ts", "../edge/mod.ts"],
    ["examples/x.ts", "@atlast/bus/edge"],
  ];
  for (const [path, specifier] of allowed) {
    it(`lets ${path} import ${specifier}`, () => {
      assert.deepEqual(broken(path, `import "${specifier}";`), []);
    });
  }

  it("sees every form of import", () => {
    const forms = [
      `import type { A } from "../edge/mod.ts";`,
      `export { a } from "../edge/mod.ts";`,
      `export type A = import("../edge/mod.ts").A;`,
    ];
    for (const source of forms) assert.deepEqual(broken("core/x.ts", source), ["imports"], source);
    assert.deepEqual(broken("bus/x.ts", `await import("hono");`), ["imports"]);
    assert.deepEqual(broken("bus/x.ts", "export const f = (a: string) => import(a);"), [
      "imports",
    ]);
  });

  it("knows every adapter and every program for development there is", () => {
    const rooms = shippedFiles().map(roomOf);
    const names = (kind: string) =>
      rooms.flatMap((room) => room.kind === kind && "name" in room ? [room.name] : []);
    assert.deepEqual([...new Set(names("adapter"))].filter((name) => !(name in ADAPTERS)), []);
    assert.deepEqual([...new Set(names("devtool"))].filter((name) => !(name in DEVTOOLS)), []);
  });
});

describe("the law of terms", () => {
  const wrong = [
    "export class Janitor {}",
    "export interface LaneParts {}",
    "export type WaitingRoom = string;",
    "export const depositOf = 1;",
    "export function f(roomFor: number) { return roomFor; }",
    "export class A { #limiter = 1; tidy() { return this.#limiter; } }",
    "export interface B { readonly together: number; recovery(): void }",
  ];
  for (const source of wrong) {
    it(`refuses ${source}`, () => {
      const rules = broken("bus/x.ts", source);
      assert.ok(rules.length > 0 && rules.every((rule) => rule === "terms"), String(rules));
      assert.ok(broken("bench/x.ts", source).includes("terms"));
      assert.deepEqual(broken("tests/x.ts", source), []);
    });
  }

  it("takes words, not parts of words", () => {
    const source = "export const planet = 1, altogether = 2, roommates = 3, untidy = 4;";
    assert.deepEqual(broken("bus/x.ts", source), []);
  });
});

describe("the law of public names", () => {
  it("refuses export * in shipped files alone", () => {
    const source = `export * from "./core/id.ts";`;
    assert.deepEqual(broken("mod.ts", source), ["explicit-exports"]);
    assert.deepEqual(broken("core/x.ts", `export * as ids from "./id.ts";`), ["explicit-exports"]);
    assert.deepEqual(broken("tests/support/x.ts", `export * from "./y.ts";`), []);
  });
});

describe("the law of honest tests", () => {
  it("refuses skips from inside and tests that hide others", () => {
    for (
      const source of [
        "t.skip('later');",
        "context.todo();",
        "it.only('x');",
        "describe.only('x');",
      ]
    ) {
      assert.deepEqual(broken("tests/unit/x_test.ts", source), ["honest-tests"], source);
    }
    assert.deepEqual(broken("tests/unit/x_test.ts", "it('x', { skip: reason }, f);"), []);
  });
});

describe("the shipped files", () => {
  for (const path of shippedFiles()) {
    it(`${path} keeps the laws`, () => {
      const found = Deno.lint.runPlugin(plugin, ROOT + path, readText(path));
      assert.deepEqual(found.map(({ id, message }) => `${id}: ${message}`), []);
    });
  }
});
