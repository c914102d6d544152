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
/** How many are measured at the most. */
const TURNS = 12;

function assertSmall({ grownMb }: Cost): void {
  assert.ok(grownMb < MOST_MB, `${grownMb} MB`);
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

    /**
     * Measures both in turns: what else runs on the machine only adds to a time, so the least counts. A cost that grows
     * with the square is too high in every turn.
     */
    const assertLinear = async (count: number, chunkBytes: number): Promise<void> => {
      let quarterMs = Infinity;
      let wholeMs = Infinity;
      const isLinear = () => wholeMs < MOST_TIMES * Math.max(quarterMs, LEAST_CPU_MS);
      for (let turn = 0; turn < TURNS && (turn < 3 || !isLinear()); turn++) {
        quarterMs = Math.min(quarterMs, (await taken(count / 4, chunkBytes)).cpuMs);
        wholeMs = Math.min(wholeMs, (await taken(count, chunkBytes)).cpuMs);
      }
      assert.ok(isLinear(), `${wholeMs} ms of processor time, ${quarterMs} of a quarter`);
    };

    it("of 52,000 chunks of one byte is small, and it is taken", async () => {
      await taken(52_000, 1);
      await assertLinear(52_000, 1);
    });

    it("of 4 MiB in chunks of 128 bytes is a few times its size", async () => {
      const count = MAX_REQUEST_BYTES / 128;
      await taken(count, 128);
      await assertLinear(count, 128);
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
