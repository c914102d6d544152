/**
 * What must hold once all is settled: everything that was promised happened once, or failed where it can be seen.
 *
 * @module
 */
import assert from "node:assert/strict";
import { MAX_CRASHES } from "../../core/lifecycle/lifecycle.ts";
import { type Box, type FailureReport, HEADER } from "../../mod.ts";
import type { StoredRecord } from "../../ports.ts";
import type { Story } from "./chaos.ts";
import { Deduct, Effect, GROUPS, isPoison, Marked, Stuck } from "./contracts.ts";
import { RETRY, type Service, type World } from "./world.ts";

/** What was found. */
export interface Findings {
  readonly promised: number;
  readonly effects: number;
  readonly replies: number;
  readonly failures: number;
  readonly cancelledHalves: number;
}

interface Records {
  readonly requests: readonly StoredRecord[];
  readonly received: readonly StoredRecord[];
  readonly replies: readonly StoredRecord[];
  readonly answered: readonly StoredRecord[];
  /** Failure callbacks as inventory published them. */
  readonly words: readonly StoredRecord[];
  /** Failure callbacks as they arrived. */
  readonly reports: readonly StoredRecord[];
  /** Who made an effect, by `keyText`. */
  readonly effects: readonly string[];
}

/** @throws {assert.AssertionError} For what does not hold. */
export async function reconcile(world: World, story: Story): Promise<Findings> {
  const { orders, inventory } = world;
  for (const { claims } of world.services) assert.deepEqual(claims.violations, []);
  assert.deepEqual(world.violations, []);
  const records: Records = {
    requests: await all(orders, "outbox", Deduct.name),
    received: await all(inventory, "inbox", Deduct.name),
    replies: await all(inventory, "outbox", Marked.name),
    answered: await all(orders, "inbox", Marked.name),
    words: await all(inventory, "outbox", Stuck.name),
    reports: await all(orders, "inbox", Stuck.name),
    effects: [
      ...await all(inventory, "outbox", Effect.name),
      ...await all(orders, "outbox", Effect.name),
    ].map(({ message }) => {
      const { of, group } = JSON.parse(String(message.body)) as { of: string; group: string };
      return keyText({ id: of, group });
    }),
  };
  promisesAreKept(records, story);
  halvesAreDecided(world, records, story);
  sentMeansArrived(records);
  effectsHappenOnce(records);
  repliesComeOnce(records);
  failuresAreToldOnce(records);
  await allIsBounded(world);
  return {
    promised: story.promised.length,
    effects: records.effects.length,
    replies: records.replies.length,
    failures: records.reports.length,
    cancelledHalves:
      records.requests.filter(({ id, state }) => id.startsWith("half") && state === "cancelled")
        .length,
  };
}

function promisesAreKept({ requests }: Records, { promised, abandoned }: Story): void {
  const stored = new Map(requests.map((request) => [request.id, request]));
  for (const id of promised) assert.ok(stored.has(id), `${id} was promised and is not there`);
  for (const id of abandoned) {
    const state = stored.get(id)?.state;
    const isGone = state === undefined || (id.startsWith("half") && state === "cancelled");
    assert.ok(isGone, `${id} was rolled back and is ${state}`);
  }
}

/** A half message goes the way of the business operation, whatever else happened. */
function halvesAreDecided({ payments }: World, { requests }: Records, { halves }: Story): void {
  const states = new Map(requests.map(({ id, state }) => [id, state]));
  for (const id of halves) {
    const state = states.get(id);
    if (payments.has(id)) {
      assert.ok(state === "succeeded" || state === "failed", `${id} is paid for and ${state}`);
    } else assert.ok(state === undefined || state === "cancelled", `${id} is unpaid and ${state}`);
  }
}

function sentMeansArrived({ requests, received, reports }: Records): void {
  const requested = new Set(requests.map(({ id }) => id));
  for (const { id } of received) assert.ok(requested.has(id), `${id} arrived and is not stored`);
  for (const request of requests) {
    const arrived = received.filter(({ id }) => id === request.id);
    if (request.state === "succeeded") {
      const groups = arrived.map(({ group }) => group);
      assert.deepEqual(groups.toSorted(), GROUPS.toSorted(), `${request.id} was sent`);
    } else if (request.state === "cancelled") {
      assert.deepEqual(arrived.map(keyText), [], `${request.id} was withdrawn and arrived`);
    } else assert.equal(request.state, "failed", request.id);
  }
  for (const report of reports) {
    const { messageId, group, mayHaveArrived } = reportOf(report);
    const hasArrived = group === "" && received.some(({ id }) => id === messageId);
    assert.ok(!hasArrived || mayHaveArrived, `${messageId} arrived, and its failure says no`);
  }
}

function effectsHappenOnce({ received, answered, reports, effects }: Records): void {
  const handled: string[] = [];
  for (const record of [...received, ...answered, ...reports]) {
    const isHandled = record.state === "succeeded";
    assert.ok(isHandled || record.state === "failed", `${keyText(record)} is ${record.state}`);
    if (isHandled) handled.push(keyText(record));
  }
  // Also shows that nothing is left of a transaction that was rolled back.
  assert.deepEqual(effects.toSorted(), handled.toSorted());
  for (const { state, message, id } of received) {
    const { n } = JSON.parse(String(message.body)) as { n: number };
    assert.ok(!(state === "succeeded" && isPoison(n)), `${id} is poison and was handled`);
  }
}

function repliesComeOnce({ received, replies, answered }: Records): void {
  const handled = received.filter(({ state }) => state === "succeeded");
  const origins = replies.map(({ message: { headers } }) =>
    keyText({ id: headers[HEADER.correlationId] ?? "", group: headers[HEADER.group] ?? "" })
  );
  assert.deepEqual(origins.toSorted(), handled.map(keyText).toSorted(), "replies, one each");
  arrivedOnce(replies, answered);
}

function failuresAreToldOnce({ requests, received, words, reports }: Records): void {
  const failures = received.filter(({ state }) => state === "failed");
  assert.deepEqual(words.map(aboutOf).toSorted(), failures.map(keyText).toSorted());
  const unsent = requests.filter(({ state }) => state === "failed");
  const arrived = words.filter(({ state }) => state === "succeeded");
  const known = reports.map(aboutOf);
  assert.equal(new Set(known).size, known.length, "a failure was reported twice");
  for (const about of [...unsent.map(keyText), ...arrived.map(aboutOf)]) {
    assert.ok(known.includes(about), `nobody heard of the failure of ${about}`);
  }
}

/** What was sent has arrived, and nothing else has. */
function arrivedOnce(sent: readonly StoredRecord[], arrived: readonly StoredRecord[]): void {
  const ids = arrived.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { id, state } of sent) {
    assert.ok(state !== "succeeded" || ids.includes(id), `${id} was sent and did not arrive`);
  }
  const stored = new Set(sent.map(({ id }) => id));
  for (const id of ids) assert.ok(stored.has(id), `${id} arrived and is not stored`);
}

/** Attempts are bounded, and what failed says why. */
async function allIsBounded({ orders, inventory }: World): Promise<void> {
  for (const service of [orders, inventory]) {
    const outbox = await all(service, "outbox");
    const inbox = await all(service, "inbox");
    for (const record of [...outbox, ...inbox]) {
      const { state, reason, attempts, crashes, leaseUntilMs } = record;
      const about = `${keyText(record)} of ${service.name}`;
      assert.ok(["succeeded", "failed", "cancelled"].includes(state), `${about} is ${state}`);
      assert.ok(state !== "failed" || reason, `${about} failed for no reason`);
      assert.ok(attempts <= RETRY.maxAttempts, `${about} was tried ${attempts} times`);
      assert.ok(crashes <= MAX_CRASHES, `${about} crashed ${crashes} times`);
      assert.equal(leaseUntilMs, null, about);
    }
    for (const record of inbox) {
      // Under each claim it runs once in a batch and once by itself.
      const begun = service.claims.begunOf(record);
      assert.ok(begun <= 2 * record.epoch, `${keyText(record)} was begun ${begun} times`);
      assert.ok(record.state !== "succeeded" || begun > 0, `${keyText(record)} was never handled`);
    }
  }
  const effects = [...await all(orders, "outbox", Effect.name)];
  effects.push(...await all(inventory, "outbox", Effect.name));
  arrivedOnce(effects, await all(orders, "inbox", Effect.name));
}

async function all(service: Service, box: Box, name?: string): Promise<StoredRecord[]> {
  return await service.store.list({ box, limit: 100_000, ...name === undefined ? {} : { name } });
}

function keyText({ id, group }: Pick<StoredRecord, "id" | "group">): string {
  return `${id} in "${group}"`;
}

/** What a failure callback is about. */
function aboutOf(record: StoredRecord): string {
  const { messageId, group } = reportOf(record);
  return keyText({ id: messageId, group });
}

function reportOf({ message }: StoredRecord): FailureReport {
  return JSON.parse(String(message.body)) as FailureReport;
}
