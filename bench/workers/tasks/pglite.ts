/**
 * The whole way of a message on PGlite, in memory and in one process.
 *
 * @module
 */
import { PGlite } from "@electric-sql/pglite";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { sharedStoreTransport } from "../../../adapters/shared_store/mod.ts";
import { createBus, subscribe } from "../../../mod.ts";
import { Measured } from "../../subjects/atlast_message.ts";
import { bodyOf } from "../../subjects/subject.ts";

const BATCH = 500;

/** Messages a second, from `publishMany` to the end of their handler. */
export async function measurePglite(durationMs: number): Promise<number> {
  const db = await PGlite.create();
  let handled = 0;
  let done = () => {};
  const bus = createBus({ store: pgliteStore(db), transport: sharedStoreTransport() }, [
    subscribe(Measured, { group: "bench", maxBatch: BATCH }, () => {
      handled += 1;
      done();
    }),
  ]);
  const pass = async () => {
    const wanted = handled + BATCH;
    const all = new Promise<void>((resolve) => done = () => handled >= wanted && resolve());
    await bus.publishMany(Measured, Array.from({ length: BATCH }, (_, n) => bodyOf(n)));
    await all;
  };
  try {
    await bus.start();
    await pass();
    const startMs = performance.now();
    const before = handled;
    while (performance.now() - startMs < durationMs) await pass();
    return (handled - before) / (performance.now() - startMs) * 1000;
  } finally {
    await bus.stop();
    await db.close();
  }
}
