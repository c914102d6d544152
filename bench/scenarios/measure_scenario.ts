/**
 * One measurement of one subject in one scenario, in fresh processes on a fresh database.
 *
 * @module
 */
import { drain, pass, whole } from "./drain.ts";
import { idle } from "./idle.ts";
import { latency } from "./latency.ts";
import { pruneBesidePublish } from "./prune.ts";
import { publish } from "./publish.ts";
import { type Measurement, measurementOf, Unmeasurable } from "../measurements/measurement.ts";
import type { Order } from "../workers/protocol.ts";
import type { Load, Scenario } from "../plan.ts";
import { runWorker } from "../workers/worker.ts";
import { type Place, Stage } from "../fixtures/fixture.ts";
import type { Subject } from "../subjects/subject.ts";
import type { SubjectName } from "../subjects/registry.ts";

/** What needs a database of the bench's own. */
type StoreLoad = Exclude<Load, { kind: "core" | "edge" | "upstash-redis" | "pglite" }>;

/** Measures. */
export async function measure(
  place: Place,
  scenario: Scenario,
  name: SubjectName,
  subject: Subject,
): Promise<Measurement> {
  const { load } = scenario;
  const durationMs = place.amounts.publishMs;
  switch (load.kind) {
    case "core":
      return await withoutStore({ role: "core", what: load.what, durationMs });
    case "edge":
      return await withoutStore({ role: "edge", bare: name === "ref", durationMs });
    case "pglite":
      return await withoutStore({ role: "pglite", durationMs });
    case "upstash-redis":
      if (place.redis === null) throw new Unmeasurable("there is no Redis server here");
      return await withoutStore({
        role: "upstash-redis",
        what: load.what,
        redisPort: place.redis.port,
        durationMs,
      });
  }
  const stage = new Stage(place, scenario, name, subject);
  await stage.lay();
  const snapshot = scenario.ground === "snapshot" ? await stage.holdSnapshot() : null;
  try {
    if (snapshot !== null) await pass(stage);
    return await onStage(stage, load);
  } finally {
    await snapshot?.end();
    await stage.clear();
  }
}

async function onStage(stage: Stage, load: StoreLoad): Promise<Measurement> {
  switch (load.kind) {
    case "publish":
      return await publish(stage, load);
    case "drain":
      return await drain(stage, load);
    case "whole":
      return await whole(stage);
    case "latency":
      return await latency(stage, load);
    case "idle":
      return await idle(stage);
    case "prune":
      return await pruneBesidePublish(stage, load.concurrency);
  }
}

async function withoutStore(order: Order): Promise<Measurement> {
  const worker = await runWorker(order);
  const { value, second } = await worker.hears("value");
  return measurementOf(value, { second });
}
