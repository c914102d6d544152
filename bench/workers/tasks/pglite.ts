/**
 * The task that measures PGlite: one service in memory publishes messages and handles them.
 *
 * @module
 */
import { PGlite } from "@electric-sql/pglite";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { createBus, subscribe } from "../../../mod.ts";
import { BenchMessage } from "../../subjects/atlast_message.ts";
import { createBodies } from "../../subjects/message_body.ts";

const BATCH = 500;

/** Measures messages a second, from `publishMany` until they are handled. */
export async function measurePglite(durationMs: number): Promise<number> {
  const db = await PGlite.create();
  let handled = 0;
  let onHandled = () => {};
  const bus = createBus({ store: pgliteStore(db), sharedStore: true }, [
    subscribe(BenchMessage, { group: "bench", maxBatch: BATCH }, () => {
      handled += 1;
      onHandled();
    }),
  ]);
  const exchangeBatch = async () => {
    const wanted = handled + BATCH;
    const all = new Promise<void>((resolve) => onHandled = () => handled >= wanted && resolve());
    await bus.publishMany(BenchMessage, createBodies(0, BATCH));
    await all;
  };
  try {
    await bus.start();
    await exchangeBatch();
    const startMs = performance.now();
    const before = handled;
    while (performance.now() - startMs < durationMs) await exchangeBatch();
    return (handled - before) / (performance.now() - startMs) * 1000;
  } finally {
    await bus.stop();
    await db.close();
  }
}
