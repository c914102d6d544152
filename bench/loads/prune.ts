/**
 * Publishing beside clean-up.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Measurement, measurementOf } from "../measurement.ts";
import { type ReportOf, Worker } from "../processes.ts";
import { number } from "../report.ts";
import type { Stage } from "../stage.ts";

/**
 * The rate of publishing while another process deletes what is expired, as a share of the rate before
 * and after. What is published is due much later, so that the two have no other business with each other.
 */
export async function pruneBesidePublish(
  stage: Stage,
  concurrency: number,
): Promise<Measurement> {
  const { publishMs } = stage.amounts;
  const publisher = new Worker({ role: "delayed", ...stage.of, concurrency, times: 3 });
  const janitor = new Worker({ role: "prune", ...stage.of });
  try {
    await Promise.all([publisher.hears("ready"), janitor.hears("ready")]);
    await stage.settle();
    const before = await rateDuring(publisher, () => sleep(publishMs));
    let pruned: ReportOf<"pruned"> | null = null;
    const beside = await rateDuring(publisher, async () => {
      janitor.tell();
      pruned = await janitor.hears("pruned");
    });
    const after = await rateDuring(publisher, () => sleep(publishMs));
    await Promise.all([publisher.end(), janitor.end()]);
    const { count, elapsedMs } = pruned as unknown as ReportOf<"pruned">;
    const note = `${number(count)} deleted in ${number(elapsedMs / 1000)} s beside ${
      number(beside)
    } messages/s; ${number(before)} before, ${number(after)} after`;
    return measurementOf(beside / ((before + after) / 2), { note });
  } finally {
    publisher.kill();
    janitor.kill();
  }
}

/** Messages a second while something else happens. */
async function rateDuring(publisher: Worker, happens: () => Promise<unknown>): Promise<number> {
  publisher.tell();
  await Promise.race([happens(), publisher.failed()]);
  publisher.tell();
  const { count, elapsedMs } = await publisher.hears("done");
  return count / elapsedMs * 1000;
}
