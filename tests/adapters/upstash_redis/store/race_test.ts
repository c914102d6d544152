import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { describe, it } from "node:test";
import {
  type UpstashRedisStore,
  upstashRedisStore,
} from "../../../../adapters/upstash_redis/mod.ts";
import type { StoredRecord } from "../../../../core/ports/record.ts";
import {
  claim,
  ids,
  LEASE_MS,
  NOW,
  recordsOf,
  settlement,
} from "../../../../devtools/conformance/store/subject.ts";
import { Gate } from "../../../support/gate.ts";
import { ROOT } from "../../../support/repository.ts";
import { skipFor } from "../../../support/skip.ts";
import { redisProblem, startUpstashRedis } from "../../../support/upstash_redis.ts";

const problem = redisProblem();
const skip = problem !== null && skipFor(problem);

describe("Upstash Redis: several processes", { skip }, () => {
  it("claim each record once, and settle all", { timeout: 60_000 }, async () => {
    const upstash = await startUpstashRedis();
    try {
      const store = upstashRedisStore({ redis: upstash.redis, prefix: "race" });
      const records = recordsOf("m", 600);
      await store.add("outbox", records, NOW);
      const workers = await Promise.all(Array.from({ length: 3 }, () => start(upstash, "race")));
      const ends = await Promise.all(workers.map((worker) => worker.run()));
      const claimed = ends.flatMap((end) => end.claimed);
      assert.deepEqual(claimed.toSorted(), ids(records).toSorted());
      assert.equal(ends.reduce((sum, { settled }) => sum + settled, 0), records.length);
      assert.ok(ends.every((end) => end.claimed.length > 0), "one had nothing to do");
      assert.equal((await store.count("outbox")).succeeded, records.length);
    } finally {
      await upstash.stop();
    }
  });
});

/** Starts a worker; `run` has it work until there is nothing left. */
async function start(
  { url, token }: { readonly url: string; readonly token: string },
  prefix: string,
): Promise<{ run(): Promise<{ claimed: string[]; settled: number }> }> {
  const child = spawn(process.execPath, [
    ...["run", "--quiet", "--allow-all", `${ROOT}tests/support/upstash_redis_child.ts`],
    ...[url, token, prefix],
  ], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  const lines = linesOf(child);
  await lines.next();
  return {
    async run() {
      child.stdin.end("go\n");
      const { value } = await lines.next();
      await closed;
      return JSON.parse(String(value));
    },
  };
}

async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  let rest = "";
  for await (const text of child.stdout?.setEncoding("utf8") ?? []) {
    rest += text;
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

describe("Upstash Redis: a server that is killed in the middle of load", { skip }, () => {
  it("loses nothing that was acknowledged", { timeout: 60_000 }, async () => {
    const upstash = await startUpstashRedis({ appendOnly: true });
    try {
      const store = upstashRedisStore({ redis: upstash.redis, prefix: "killed" });
      const load = new Load(store);
      for (let kills = 0; kills < 3; kills++) {
        const running = load.run();
        await load.steps(25);
        await upstash.server.kill();
        await load.failed();
        await upstash.server.start();
        await load.steps(10);
        load.stop();
        await running;
      }
      await load.reconcile();
    } finally {
      await upstash.stop();
    }
  });
});

/** Adds, claims and settles as fast as it can, and keeps account of what it was told. */
class Load {
  readonly #store: UpstashRedisStore;
  readonly #added = new Set<string>();
  readonly #settled = new Set<string>();
  #isRunning = false;
  #batches = 0;
  #steps = 0;
  #left = 0;
  #enough: Gate | null = null;
  #failure: Gate | null = null;

  constructor(store: UpstashRedisStore) {
    this.#store = store;
  }

  /** Works until it is told to stop; a call that fails is done again with the next batch. */
  async run(): Promise<void> {
    this.#isRunning = true;
    await Promise.all([
      this.#loop(() => this.#add()),
      this.#loop(() => this.#work()),
      this.#loop(() => this.#work()),
    ]);
  }

  stop(): void {
    this.#isRunning = false;
  }

  /** Resolves after so many more calls that succeeded. */
  async steps(count: number): Promise<void> {
    this.#left = this.#steps + count;
    this.#enough = new Gate();
    await this.#enough.reached();
    this.#enough.open();
    this.#enough = null;
  }

  /** Resolves when a call has failed. */
  async failed(): Promise<void> {
    this.#failure = new Gate();
    await this.#failure.reached();
    this.#failure.open();
    this.#failure = null;
  }

  async #loop(step: () => Promise<void>): Promise<void> {
    while (this.#isRunning) {
      try {
        await step();
        this.#steps += 1;
        if (this.#steps >= this.#left) this.#enough?.pass();
      } catch {
        this.#failure?.pass();
      }
      // The next turn of the event loop, so that a server that refuses at once does not keep others out.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  async #add(): Promise<void> {
    const records = recordsOf(`batch-${this.#batches++}`, 5);
    await this.#store.add("outbox", records, NOW);
    for (const { id } of records) this.#added.add(id);
  }

  async #work(): Promise<void> {
    const claimed = await claim(this.#store, { limit: 4 });
    await this.#settle(claimed);
  }

  async #settle(claimed: readonly StoredRecord[]): Promise<void> {
    const applied = await this.#store.settle(
      "outbox",
      claimed.map((record) => settlement(record)),
    );
    claimed.forEach(({ id }, i) => {
      if (applied[i]) this.#settled.add(id);
    });
  }

  /** What was acknowledged is there; what was held is claimed again; and all that counts agrees. */
  async reconcile(): Promise<void> {
    const store = this.#store;
    const before = new Map((await everyRecord(store)).map((record) => [record.id, record]));
    for (const id of this.#added) assert.ok(before.has(id), `${id} was added, and is lost`);
    for (const id of this.#settled) {
      assert.equal(before.get(id)?.state, "succeeded", `${id} was settled, and is not`);
    }
    const nowMs = NOW + LEASE_MS + 1;
    for (let more = true; more;) {
      const claimed = [
        ...await claim(store, { nowMs }),
        ...await claim(store, { kind: "alone", nowMs }),
      ];
      more = claimed.length > 0;
      await this.#settle(claimed);
    }
    const records = await everyRecord(store);
    assert.ok(records.every(({ state }) => state === "succeeded"));
    const { succeeded, scheduled } = await store.count("outbox");
    assert.deepEqual([succeeded, scheduled], [records.length, 0]);
    assert.equal(await store.nextDueAt("outbox", NOW), null);
    assert.ok(this.#added.size > 100 && records.length >= this.#added.size);
  }
}

async function everyRecord(store: UpstashRedisStore): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  for (;;) {
    const last = all.at(-1);
    const after = last && { createdAtMs: last.createdAtMs, key: last };
    const page = await store.list({ box: "outbox", limit: 500, ...after && { after } });
    if (page.length === 0) return all;
    all.push(...page);
  }
}
