/**
 * Publishing beside clean-up.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Measurement, measurementOf } from "../measurements/measurement.ts";
import { Worker } from "../workers/worker.ts";
import { number } from "../results/report.ts";
import type { Stage } from "../fixtures/fixture.ts";

/** Clean-up that takes longer than this is given up. */
const PATIENCE_MS = 300_000;

/**
 * The rate of publishing while another process deletes what is expired, as a share of the rate while it
 * does not. The two take turns until all is deleted, so that what else the machine does falls on both.
 * What is published is due much later: then clean-up is all that the other process has to do.
 */
export async function pruneBesidePublish(
  stage: Stage,
  concurrency: number,
): Promise<Measurement> {
  const { publishMs: sliceMs, expired } = stage.amounts;
  const publisher = new Worker({ role: "delayed", ...stage.of, concurrency });
  const pruner = new Worker({ role: "prune", ...stage.of, sliceMs });
  const alone = new Rate(publisher);
  const beside = new Rate(publisher);
  try {
    await Promise.all([publisher.hears("ready"), pruner.hears("ready")]);
    await stage.settle();
    let pruned = 0;
    await alone.during(() => sleep(sliceMs));
    while (pruned < expired) {
      await beside.during(async () => {
        pruner.tell();
        pruned = (await pruner.hears("pruned")).count;
      });
      if (beside.elapsedMs > PATIENCE_MS) {
        throw new Error(`Cannot measure: only ${pruned} of ${expired} are deleted`);
      }
      await alone.during(() => sleep(sliceMs));
    }
    const note = `${number(pruned)} deleted in ${number(beside.elapsedMs / 1000)} s beside ${
      number(beside.perSecond)
    } messages/s, ${number(alone.perSecond)} without`;
    return measurementOf(beside.perSecond / alone.perSecond, { note });
  } finally {
    publisher.kill();
    pruner.kill();
  }
}

/** What is published in several slices of time. */
class Rate {
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

  /** Has it publish while something else happens. */
  async during(happens: () => Promise<unknown>): Promise<void> {
    this.#publisher.tell();
    await Promise.race([happens(), this.#publisher.failed()]);
    this.#publisher.tell();
    const { count, elapsedMs } = await this.#publisher.hears("done");
    this.#count += count;
    this.#elapsedMs += elapsedMs;
  }
}
