import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { CostlyBody, MAX_CHUNKS, readBytes } from "../../http/read_body.ts";
import { holdsAsync } from "../support/property.ts";

/** A stream of chunks that are made when they are asked for. */
function streamOf(
  kind: "bytes" | "default",
  chunk: (index: number) => Uint8Array<ArrayBuffer> | null | Promise<never>,
): ReadableStream<Uint8Array> {
  let index = 0;
  const pull = async (
    controller: ReadableByteStreamController | ReadableStreamDefaultController<Uint8Array>,
  ) => {
    const next = await chunk(index++);
    if (next !== null) return controller.enqueue(next);
    controller.close();
    if ("byobRequest" in controller) controller.byobRequest?.respond(0);
  };
  return kind === "bytes"
    ? new ReadableStream({ type: "bytes", pull })
    : new ReadableStream({ pull }, { highWaterMark: 0 });
}

function listed(kind: "bytes" | "default", chunks: readonly Uint8Array[]) {
  return streamOf(kind, (index) => chunks[index]?.slice() ?? null);
}

const CHUNKS = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { maxLength: 12 });

for (const kind of ["bytes", "default"] as const) {
  describe(`reading a stream of kind ${kind}`, () => {
    it("gives its bytes, however it is cut and whatever was announced", () =>
      holdsAsync(
        fc.asyncProperty(CHUNKS, fc.nat(40_000), async (chunks, expected) => {
          const all = chunks.flatMap((chunk) => [...chunk]);
          const bytes = await readBytes(listed(kind, chunks), 40_000, { expected });
          assert.deepEqual([...bytes ?? []], all);
          assert.equal(bytes?.buffer.byteLength, all.length);
        }),
        100,
      ));

    it("gives null for more than the limit, or the first of them on request", async () => {
      const chunks = [1, 2, 3].map((n) => new Uint8Array(10).fill(n));
      assert.equal(await readBytes(listed(kind, chunks), 29), null);
      assert.equal((await readBytes(listed(kind, chunks), 30))?.length, 30);
      const first = await readBytes(listed(kind, chunks), 15, { truncates: true });
      assert.deepEqual([...first ?? []], [...Array(10).fill(1), ...Array(5).fill(2)]);
    });

    it("ends with the number of chunks, and asks for no more", async () => {
      let asked = 0;
      const body = streamOf(kind, () => {
        asked++;
        return new Uint8Array(1);
      });
      const reading = readBytes(body, 4 * 1024 * 1024);
      await assert.rejects(
        reading,
        (error) => error instanceof CostlyBody && error.kind === "too_fragmented",
      );
      assert.ok(asked <= MAX_CHUNKS + 2, `${asked}`);
    });

    it("ends when it is too slow, and not when it was fast enough", async () => {
      const pace = { bytesPerSecond: 1024, graceMs: 20 };
      const hangs = () => new Promise<never>(() => {});
      const slow = streamOf(kind, (index) => index === 0 ? new Uint8Array(1) : hangs());
      await assert.rejects(
        readBytes(slow, 1_000, { pace }),
        (error) => error instanceof CostlyBody && error.kind === "too_slow",
      );
      // So many bytes that the pace is kept for a quarter of an hour.
      const fast = streamOf(kind, (index) => {
        if (index === 0) return new Uint8Array(1_000_000);
        return index === 1
          ? new Promise((resolve) => setTimeout(() => resolve(new Uint8Array(1) as never), 60))
          : null;
      });
      assert.equal((await readBytes(fast, 2_000_000, { pace }))?.length, 1_000_001);
    });

    it("passes on what the stream fails with", async () => {
      const broken = streamOf(kind, () => Promise.reject(new Error("broke off")));
      await assert.rejects(readBytes(broken, 1_000), { message: "broke off" });
    });
  });
}
