import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { MAX_CHUNKS } from "../../http/read_body.ts";
import { MAX_REQUEST_BYTES } from "../../core/wire/wire.ts";
import { type BodyServer, bodyServer, type Cost } from "../support/body_server.ts";
import { rawRequest } from "../support/raw_http.ts";

const HEADERS: [string, string][] = [
  ["cap-msg-id", "m-1"],
  ["cap-msg-name", "order.placed"],
  ["content-type", "text/plain"],
  ["transfer-encoding", "chunked"],
];

/** A body of `count` chunks, framed as HTTP/1.1 has it. */
function chunked(count: number, chunkBytes: number): Uint8Array {
  const one = `${chunkBytes.toString(16)}\r\n${"x".repeat(chunkBytes)}\r\n`;
  return new TextEncoder().encode(`${one.repeat(count)}0\r\n\r\n`);
}

/**
 * Before, 52,000 chunks of one byte took 2,500 MB on Deno; what a process needs for itself, and leaves to its
 * garbage collector, is some tens.
 */
const MOST_MB = 100;

/** 4 MiB took 30 seconds on Node before. */
const MOST_CPU_MS = 1_000;

function assertSmall({ grownMb, cpuMs }: Cost): void {
  assert.ok(grownMb < MOST_MB, `${grownMb} MB`);
  assert.ok(cpuMs < MOST_CPU_MS, `${cpuMs} ms of processor time`);
}

for (const runtime of ["Deno", "Node"] as const) {
  describe(`the cost of a body on ${runtime}`, () => {
    let server: BodyServer;
    let left: Promise<unknown>;
    before(async () => {
      server = await bodyServer(runtime);
      await rawRequest(server.origin, { path: "/deliver", headers: HEADERS, body: chunked(1, 1) });
      await server.cost();
    });
    after(async () => {
      await server.stop();
      await left;
    });

    it("of 52,000 chunks of one byte is small, and it is taken", async () => {
      const body = chunked(52_000, 1);
      const { status } = await rawRequest(server.origin, {
        path: "/deliver",
        headers: HEADERS,
        body,
      });
      assert.equal(status, 200);
      assertSmall(await server.cost());
    });

    it("of 4 MiB in chunks of 128 bytes is a few times its size", async () => {
      const body = chunked(MAX_REQUEST_BYTES / 128, 128);
      const { status } = await rawRequest(server.origin, {
        path: "/deliver",
        headers: HEADERS,
        body,
      });
      assert.equal(status, 200);
      assertSmall(await server.cost());
    });

    it("of more chunks than are taken ends with the limit", async () => {
      const body = chunked(MAX_CHUNKS + 100, 1);
      // Deno keeps the connection open for a while, for what it did not read.
      left = rawRequest(server.origin, { path: "/deliver", headers: HEADERS, body });
      const cost = await server.cost();
      assert.equal(cost.status, 408);
      assertSmall(cost);
    });
  });
}
