/**
 * Prune: one worker publishes while another deletes expired messages.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Fixture } from "../fixtures/fixture.ts";
import { createMeasurement, type Measurement } from "../measurements/measurement.ts";
import { formatNumber } from "../results/format.ts";
import type { Workload } from "../scenario.ts";
import { Worker } from "../workers/worker.ts";

/** How long pruning may take. */
const TIMEOUT_MS = 300_000;

/**
 * Measures the rate of publishing while another worker prunes, as a share of the rate without. Slices
 * of time with and without pruning alternate until all expired messages are deleted, so that other load
 * on the machine affects both rates. The published messages are due much later, so that the other
 * worker does nothing but prune.
 */
export async function measurePrune(
  fixture: Fixture,
  { concurrency }: Extract<Workload, { kind: "prune" }>,
): Promise<Measurement> {
  const { publishMs: sliceMs, expired } = fixture.amounts;
  const publisher = new Worker({ kind: "publish-delayed", ...fixture.taskSubject, concurrency });
  const pruner = new Worker({ kind: "prune", ...fixture.taskSubject, sliceMs });
  const without = new PublishRate(publisher);
  const during = new PublishRate(publisher);
  try {
    await Promise.all([publisher.nextReport("ready"), pruner.nextReport("ready")]);
    await fixture.startMeasuring();
    let pruned = 0;
    await without.measureDuring(() => sleep(sliceMs));
    while (pruned < expired) {
      await during.measureDuring(async () => {
        pruner.signal();
        pruned = (await pruner.nextReport("pruned")).count;
      });
      if (during.elapsedMs > TIMEOUT_MS) {
        throw new Error(
          `Cannot measure: only ${pruned} of ${expired} messages are pruned after ` +
            `${TIMEOUT_MS / 1000} s`,
        );
      }
      await without.measureDuring(() => sleep(sliceMs));
    }
    const note = `${formatNumber(pruned)} pruned in ${formatNumber(during.elapsedMs / 1000)} s; ${
      formatNumber(during.perSecond)
    } messages/s published meanwhile, ${formatNumber(without.perSecond)} without pruning`;
    return createMeasurement(during.perSecond / without.perSecond, { note });
  } finally {
    publisher.kill();
    pruner.kill();
  }
}

/** The rate of publishing over several slices of time. */
class PublishRate {
  readonly #publisher: Worker;
  #count = 0;
  #elapsedMs = 0;

  constructor(publisher: Worker) {
    this.#publisher = publisher;
  }

  get perSecond(): number {
    return this.#count / this.#elapsedMs * 1000;
  }

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Publishes until `activity` ends. */
  async measureDuring(activity: () => Promise<unknown>): Promise<void> {
    this.#publisher.signal();
    await Promise.race([activity(), this.#publisher.failed()]);
    this.#publisher.signal();
    const { count, elapsedMs } = await this.#publisher.nextReport("done");
    this.#count += count;
    this.#elapsedMs += elapsedMs;
  }
}
