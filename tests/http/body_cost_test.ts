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

/**
 * A body with four times as many chunks takes about four times the processor time. Before, it took sixteen times as
 * much, so that 4 MiB took 30 seconds on Node. The least time is that of a process that has other
 * things to do. Each is measured after the first such body, as the compiler takes its time for that one.
 */
const MOST_TIMES = 9;
const LEAST_CPU_MS = 50;

function assertSmall({ grownMb }: Cost): void {
  assert.ok(grownMb < MOST_MB, `${grownMb} MB`);
}

function assertLinear(quarter: Cost, whole: Cost): void {
  const mostMs = MOST_TIMES * Math.max(quarter.cpuMs, LEAST_CPU_MS);
  assert.ok(
    whole.cpuMs < mostMs,
    `${whole.cpuMs} ms of processor time, ${quarter.cpuMs} of a quarter`,
  );
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

    const taken = async (count: number, chunkBytes: number): Promise<Cost> => {
      const body = chunked(count, chunkBytes);
      const { status } = await rawRequest(server.origin, {
        path: "/deliver",
        headers: HEADERS,
        body,
      });
      assert.equal(status, 200);
      const cost = await server.cost();
      assertSmall(cost);
      return cost;
    };

    /** The least of three: what else runs on the machine only adds to it. */
    const least = async (count: number, chunkBytes: number): Promise<Cost> => {
      const costs: Cost[] = [];
      for (let i = 0; i < 3; i++) costs.push(await taken(count, chunkBytes));
      return costs.reduce((a, b) => a.cpuMs < b.cpuMs ? a : b);
    };

    it("of 52,000 chunks of one byte is small, and it is taken", async () => {
      await taken(52_000, 1);
      assertLinear(await least(13_000, 1), await least(52_000, 1));
    });

    it("of 4 MiB in chunks of 128 bytes is a few times its size", async () => {
      const count = MAX_REQUEST_BYTES / 128;
      await taken(count, 128);
      assertLinear(await least(count / 4, 128), await least(count, 128));
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
