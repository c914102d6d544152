/**
 * Measures one subject in one scenario, in new workers and on a new fixture. `main.ts` calls it once for
 * each round.
 *
 * @module
 */
import { type Environment, Fixture } from "../fixtures/fixture.ts";
import {
  createMeasurement,
  type Measurement,
  UnmeasurableError,
} from "../measurements/measurement.ts";
import type { Scenario, Workload } from "../scenario.ts";
import type { SubjectName } from "../subjects/registry.ts";
import type { Subject } from "../subjects/subject.ts";
import type { Task } from "../workers/protocol.ts";
import { runWorkerToEnd } from "../workers/worker.ts";
import { measureDrain, sendUnderSnapshot } from "./drain.ts";
import { measureEndToEnd } from "./end_to_end.ts";
import { measureIdle } from "./idle.ts";
import { measureLatency } from "./latency.ts";
import { measurePrune } from "./prune.ts";
import { measurePublish } from "./publish.ts";

/** A workload that needs a database. */
type FixtureWorkload = Exclude<Workload, { kind: "core" | "edge" | "upstash-redis" | "pglite" }>;

/** Takes one measurement. */
export async function measureScenario(
  environment: Environment,
  scenario: Scenario,
  name: SubjectName,
  subject: Subject,
): Promise<Measurement> {
  const { workload } = scenario;
  const durationMs = environment.amounts.publishMs;
  switch (workload.kind) {
    case "core":
      return await measureWithoutFixture({ kind: "core", figure: workload.figure, durationMs });
    case "edge":
      return await measureWithoutFixture({ kind: "edge", verifyOnly: name === "ref", durationMs });
    case "pglite":
      return await measureWithoutFixture({ kind: "pglite", durationMs });
    case "upstash-redis":
      if (environment.redis === null) {
        throw new UnmeasurableError("Cannot measure Upstash Redis: redis-server is not installed");
      }
      return await measureWithoutFixture({
        kind: "upstash-redis",
        figure: workload.figure,
        redisPort: environment.redis.port,
        durationMs,
      });
  }
  const fixture = new Fixture(environment, scenario, name, subject);
  await fixture.setUp();
  const snapshot = scenario.fixture === "snapshot" ? await fixture.openSnapshot() : null;
  try {
    if (snapshot !== null) await sendUnderSnapshot(fixture);
    return await measureOnFixture(fixture, workload);
  } finally {
    await snapshot?.end();
    await fixture.tearDown();
  }
}

async function measureOnFixture(
  fixture: Fixture,
  workload: FixtureWorkload,
): Promise<Measurement> {
  switch (workload.kind) {
    case "publish":
      return await measurePublish(fixture, workload);
    case "drain":
      return await measureDrain(fixture, workload);
    case "end-to-end":
      return await measureEndToEnd(fixture);
    case "latency":
      return await measureLatency(fixture, workload);
    case "idle":
      return await measureIdle(fixture);
    case "prune":
      return await measurePrune(fixture, workload);
  }
}

async function measureWithoutFixture(task: Task): Promise<Measurement> {
  const worker = await runWorkerToEnd(task);
  const { value, second } = await worker.nextReport("value");
  return createMeasurement(value, { second });
}
