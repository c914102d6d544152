/**
 * The program of a worker process. `worker.ts` starts it with one task as its argument; it does the task,
 * reports to the bench and ends.
 *
 * @module
 */
import process from "node:process";
import { loadSubject } from "../subjects/registry.ts";
import { openChannel } from "./channel.ts";
import type { Task } from "./protocol.ts";
import { measureAllocation, measureDecisionRate } from "./tasks/core.ts";
import { handle, publishAndHandle, publishSteadily } from "./tasks/handle.ts";
import { prune } from "./tasks/prune.ts";
import { fillBox, publish, publishDelayed } from "./tasks/publish.ts";

const channel = openChannel();

await run(JSON.parse(process.argv[2] as string) as Task);
process.exit(0);

async function run(task: Task): Promise<void> {
  switch (task.kind) {
    case "core": {
      if (task.figure === "rate") return sendValue(measureDecisionRate(task.durationMs));
      const { transition, nextAttempt } = measureAllocation(task.durationMs);
      return sendValue(transition, nextAttempt);
    }
    // The next three are loaded only here: workers that run a peer lack the packages they import.
    case "edge": {
      const { measureEdge } = await import("./tasks/edge.ts");
      return sendValue(await measureEdge(task.verifyOnly, task.durationMs));
    }
    case "pglite": {
      const { measurePglite } = await import("./tasks/pglite.ts");
      return sendValue(await measurePglite(task.durationMs));
    }
    case "upstash-redis": {
      const upstash = await import("./tasks/upstash_redis.ts");
      if (task.figure === "rate") {
        return sendValue(await upstash.measureUpstashRate(task.redisPort, task.durationMs));
      }
      const { message, idleTick } = await upstash.measureUpstashCommands(task.redisPort);
      return sendValue(message, idleTick);
    }
  }
  const subject = await loadSubject(task.subject);
  const session = await subject.open(task.openOptions);
  switch (task.kind) {
    case "fill-box":
      await fillBox(session, task);
      break;
    case "publish":
      await publish(session, task, channel);
      break;
    case "handle":
      await handle(session, task, channel);
      break;
    case "publish-and-handle":
      await publishAndHandle(session, task, channel);
      break;
    case "publish-steadily":
      await publishSteadily(session, task, channel);
      break;
    case "publish-delayed":
      await publishDelayed(session, task, channel);
      break;
    case "prune":
      await prune(session, task, channel);
      break;
  }
  await session.close();
}

function sendValue(value: number, second: number | null = null): void {
  channel.send({ kind: "value", value, second });
}
