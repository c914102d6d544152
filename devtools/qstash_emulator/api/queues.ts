/**
 * Queues.
 *
 * @module
 */
import type { Account } from "../account.ts";
import type { QueueRecord } from "../records.ts";
import { checkedName, done, json, Refusal } from "../refusal.ts";
import { type Call, jsonBody, notFound, withoutNulls } from "./call.ts";

/** `POST /v2/queues` */
export async function upsertQueue(call: Call): Promise<Response> {
  const { account } = call;
  const body = withoutNulls(await jsonBody(call));
  const name = checkedName("queue name", body["queueName"]);
  const { parallelism = 1, paused = false } = body;
  if (!Number.isInteger(parallelism) || Number(parallelism) < 1 || typeof paused !== "boolean") {
    throw new Refusal(400, "invalid queue: want a parallelism from 1 on, and paused true or false");
  }
  if (Number(parallelism) > account.settings.limits.queueParallelism) {
    throw new Refusal(412, "quota maxQueueParallelism exceeded");
  }
  const queue = account.queue(name);
  queue.parallelism = Number(parallelism);
  setPaused(call, queue, paused);
  return done();
}

/** `GET /v2/queues` */
export function listQueues({ account }: Call): Response {
  return json([...account.queues.values()].map((queue) => shown(account, queue)));
}

/** `GET /v2/queues/<name>` */
export function getQueue(call: Call): Response {
  return json(shown(call.account, find(call)));
}

/** `DELETE /v2/queues/<name>`: cancels its messages. */
export function deleteQueue(call: Call): Response {
  const { account, engine } = call;
  const { name } = find(call);
  for (const message of account.messages.values()) {
    if (message.queueName === name) engine.cancel(message);
  }
  account.queues.delete(name);
  return done();
}

/** `POST /v2/queues/<name>/pause` */
export function pauseQueue(call: Call): Response {
  setPaused(call, find(call), true);
  return done();
}

/** `POST /v2/queues/<name>/resume` */
export function resumeQueue(call: Call): Response {
  setPaused(call, find(call), false);
  return done();
}

function setPaused({ account, engine }: Call, queue: QueueRecord, paused: boolean): void {
  queue.paused = paused;
  queue.updatedAtMs = account.now();
  if (paused) return engine.lines.pauseHead(queue.name);
  engine.lines.admit(queue.name);
  engine.soon();
}

function find({ account, params }: Call): QueueRecord {
  const queue = account.queues.get(params[0]!);
  if (queue === undefined) throw notFound("queue");
  return queue;
}

function shown({ messages }: Account, queue: QueueRecord): Record<string, unknown> {
  const waiting = [...messages.values()].filter(({ queueName, state }) =>
    queueName === queue.name && state === "waiting"
  );
  return {
    name: queue.name,
    createdAt: queue.createdAtMs,
    updatedAt: queue.updatedAtMs,
    parallelism: queue.parallelism,
    paused: queue.paused,
    lag: waiting.length,
  };
}
