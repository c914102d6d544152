import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DeliveryDialect } from "../../../core/ports/dialect.ts";
import type { DeliveryResult } from "../../../core/ports/transport.ts";
import { qstashDialect } from "../../../adapters/qstash/verify.ts";
import type { Principal } from "../../../core/principal.ts";
import type { PushDelivery } from "../../../core/ports/push_delivery.ts";
import {
  BATCH_CONTENT_TYPE,
  batchItem,
  batchOf,
  type Verify,
  type VerifyResult,
} from "../../../core/wire/wire.ts";
import { createApp, verifyAny } from "../../../edge/mod.ts";
import { createStatelessApp, NonRetryable, subscribe } from "../../../edge/stateless/mod.ts";
import { openApiDocument } from "../../../edge/openapi/mod.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { NOW_MS } from "../../support/manual_clock.ts";

/**
 * Google Cloud Tasks over HTTP: any status of success ends a task, and any other has it tried again on the
 * queue's own schedule. It has no dead letters, and pays no attention to Retry-After.
 */
const cloudTasks: DeliveryDialect = {
  name: "Cloud Tasks",
  markHeader: "x-cloudtasks-taskname",
  redelivers: false,
  deadLetters: false,
  stoppingRetryMs: 0,
  finalAnswer: { status: 200, headers: {} },
};

/** A first delivery whose provider binds the headers. */
const PUSH: Omit<PushDelivery, "url"> = {
  attempt: 1,
  signedAtMs: NOW_MS,
  bindsHeaders: true,
  unbound: null,
};

/** Lets in what says it is of Cloud Tasks, in place of checking its OIDC token. */
const verifyTask: Verify = Object.assign<Verify, { dialects: readonly DeliveryDialect[] }>(
  ({ url, headers }) => {
    const retried = headers.get("x-cloudtasks-taskretrycount");
    if (retried === null) {
      return { ok: false, kind: "unauthenticated", reason: "Cannot know you: want a task" };
    }
    return {
      ok: true,
      principal: { name: "tasks", kind: "push_provider" },
      push: { ...PUSH, url, attempt: Number(retried) + 1 },
      dialect: cloudTasks,
    };
  },
  { dialects: [cloudTasks] },
);

/** A task, on its attempt. */
function task(attempt: number, body = `{"n":1}`): RequestInit {
  return {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "cap-msg-id": "m-1",
      "cap-msg-name": Placed.name,
      "x-cloudtasks-taskname": "task-1",
      "x-cloudtasks-taskretrycount": String(attempt - 1),
    },
    body,
  };
}

describe("an answer to a push provider", () => {
  for (const deadLetters of [true, false]) {
    it(`has no word of what failed, with dead letters ${deadLetters}`, async () => {
      const result = { kind: "failed", duplicate: false, reason: "the secret words" } as const;
      const verify: Verify = (request) => ({
        ok: true,
        principal: { name: "tasks", kind: "push_provider" },
        push: { ...PUSH, url: request.url },
        dialect: { ...cloudTasks, deadLetters },
      });
      const app = createApp(new FakeReceiver(() => result), { verify });
      const response = await app.request("/deliver", task(1));
      const said = `${JSON.stringify([...response.headers])} ${await response.text()}`;
      assert.doesNotMatch(said, /secret/);
    });
  }
});

describe("a push provider that does not sign headers", () => {
  it("publishes nothing, as anyone could have named it", async () => {
    const { bus, store } = fixture([], { transport: new FakeTransport() });
    const verifyWith = (bindsHeaders: boolean): Verify => (request) => ({
      ok: true,
      principal: { name: "tasks", kind: "push_provider" },
      push: { ...PUSH, url: request.url, bindsHeaders },
      dialect: cloudTasks,
    });
    for (const [bindsHeaders, status, stored] of [[false, 403, 0], [true, 201, 1]] as const) {
      const verify = verifyWith(bindsHeaders);
      const app = createApp(bus, { verify, publish: { verify, names: ["#"] } });
      assert.equal((await app.request("/publish", task(1))).status, status);
      assert.equal((await store.list({ box: "outbox", limit: 9 })).length, stored);
    }
  });
});

describe("the dialect of another push provider, Cloud Tasks", () => {
  const answers: [DeliveryResult, number][] = [
    [{ kind: "handled", duplicate: false, reply: null }, 200],
    [{ kind: "accepted" }, 202],
    // It is stored: the bus's own schedule handles it, not the queue's.
    [{ kind: "accepted", retryAfterMs: 5_000 }, 202],
    [{ kind: "failed", duplicate: false, reason: "No" }, 200],
    [{ kind: "refused", reason: "Full", retryAfterMs: 5_000 }, 503],
    [{ kind: "no_subscriber" }, 404],
    // Any other status would have it tried again in vain.
    [{ kind: "rejected", reason: "No" }, 200],
    [{ kind: "rejected", reason: "No", code: "id_conflict" }, 200],
  ];
  for (const [result, status] of answers) {
    it(`answers ${status} to ${JSON.stringify(result)}`, async () => {
      const app = createApp(new FakeReceiver(() => result), { verify: verifyTask });
      const response = await app.request("/deliver", task(1));
      assert.equal(response.status, status);
      assert.deepEqual(
        [...response.headers.keys()].filter((name) => name.startsWith("upstash-")),
        [],
      );
    });
  }

  it("ends what cannot be read or is too large, before the verifier saw it", async () => {
    const app = createApp(new FakeReceiver(), { verify: verifyTask, maxBodyBytes: 100 });
    assert.equal((await app.request("/deliver", task(1, "x".repeat(101)))).status, 200);
    // Nobody else is answered so.
    const plain = { method: "POST", body: "x".repeat(101) };
    assert.equal((await app.request("/deliver", plain)).status, 413);
  });

  it("is spoken by a verifier that names it in its result alone", async () => {
    const verify: Verify = (request, body) => verifyTask(request, body);
    const app = createApp(new FakeReceiver(() => ({ kind: "rejected", reason: "No" })), { verify });
    assert.equal((await app.request("/deliver", task(1))).status, 200);
  });

  it("counts the attempts of a subscriber without a store", async () => {
    const attempts: number[] = [];
    const app = createStatelessApp([
      subscribe(Placed, { group: "g" }, ({ n }, { attempt }) => {
        attempts.push(attempt);
        if (n === 1) throw new Error("Not yet");
        throw new NonRetryable("Never");
      }),
    ], { verify: verifyTask, retry: { kind: "list", delaysMs: [1, 2] } });
    const statuses: number[] = [];
    for (const attempt of [1, 2, 3]) {
      statuses.push((await app.request("/deliver", task(attempt))).status);
    }
    assert.deepEqual(statuses, [503, 503, 200]);
    assert.equal((await app.request("/deliver", task(1, `{"n":2}`))).status, 200);
    assert.deepEqual(attempts, [1, 2, 3, 1]);
  });

  it("reports no dead letters", async () => {
    const bus = Object.assign(new FakeReceiver(), {
      deadLetter: () => Promise.resolve("failed" as const),
    });
    const app = createApp(bus, { verify: verifyTask, deadLetters: { verify: verifyTask } });
    assert.equal((await app.request("/dead-letter", task(1, "{}"))).status, 403);
  });

  it("has no path for them in a document without a dialect that does", () => {
    const serverUrl = "https://orders.example";
    assert.ok(!("/dead-letter" in openApiDocument({ serverUrl }).paths));
    assert.throws(
      () => openApiDocument({ serverUrl, paths: ["/dead-letter"] }),
      { code: "invalid_option" },
    );
  });
});

describe("which dialect a refusal is answered in", () => {
  const NEVER: DeliveryResult = { kind: "rejected", reason: "No" };
  const qstash = { push: { ...PUSH, url: "https://inventory.example" }, dialect: qstashDialect };
  const provider: Principal = { name: "push", kind: "push_provider" };

  /** What an app answers to a message with these headers that its verifier, with these dialects, finds to be so. */
  async function answered(
    result: VerifyResult,
    headers: Record<string, string>,
    dialects: readonly DeliveryDialect[] = [cloudTasks, qstashDialect],
  ): Promise<{ status: number; final: string | null }> {
    const verify: Verify = Object.assign(() => result, { dialects });
    const app = createApp(new FakeReceiver(() => NEVER), { verify });
    const message = { "cap-msg-id": "m-1", "cap-msg-name": Placed.name };
    const response = await app.request("/deliver", {
      method: "POST",
      headers: { ...message, "content-type": "text/plain", ...headers },
      body: "text",
    });
    return {
      status: response.status,
      final: response.headers.get("upstash-nonretryable-error"),
    };
  }

  it("is that of the verified provider, whose mark a proxy took away", async () => {
    const result: VerifyResult = { ok: true, principal: provider, ...qstash };
    assert.deepEqual(await answered(result, {}), { status: 489, final: "true" });
    assert.deepEqual(await answered(result, {}, []), { status: 489, final: "true" });
  });

  it("is that of the verified provider, and not of another whose mark the publisher sent along", async () => {
    const result: VerifyResult = { ok: true, principal: provider, ...qstash };
    const marks = { "x-cloudtasks-taskname": "task-1", "upstash-message-id": "msg_1" };
    assert.deepEqual(await answered(result, marks), { status: 489, final: "true" });
  });

  it("is that of a provider of which the verifier says nothing more", async () => {
    const result: VerifyResult = { ok: true, principal: provider, dialect: qstashDialect };
    assert.deepEqual(await answered(result, {}), { status: 489, final: "true" });
  });

  it("is none for a verified service that sends a provider's mark", async () => {
    const result: VerifyResult = { ok: true, principal: { name: "orders", kind: "service" } };
    const marks = { "x-cloudtasks-taskname": "task-1" };
    assert.deepEqual(await answered(result, marks), { status: 489, final: null });
  });

  it("is by the mark where the verifier names nobody, or no dialect", async () => {
    const marks = { "upstash-message-id": "msg_1" };
    const wanted = { status: 489, final: "true" };
    assert.deepEqual(await answered({ ok: true }, marks), wanted);
    assert.deepEqual(await answered({ ok: true, principal: provider }, marks), wanted);
    assert.equal((await answered({ ok: true }, {})).final, null);
  });

  it("leaves a request that nobody could verify to be tried again", async () => {
    const refusal = { ok: false, kind: "unauthenticated", reason: "Cannot know you" } as const;
    const marks = { "upstash-message-id": "msg_1" };
    assert.deepEqual(await answered(refusal, marks), { status: 401, final: null });
  });

  it("answers a batch of a provider by its status, whatever the verifier says of the delivery", async () => {
    const verify: Verify = () => ({ ok: true, principal: provider, dialect: qstashDialect });
    const app = createApp(new FakeReceiver(() => NEVER), { verify });
    const message = { id: "m-1", name: Placed.name, headers: {}, body: "{}", sentAtMs: NOW_MS };
    const item = batchItem({ ...message, contentType: "application/json" });
    const post = (items: string[]) =>
      app.request("/deliver", {
        method: "POST",
        headers: { "content-type": BATCH_CONTENT_TYPE },
        body: batchOf(items),
      });
    assert.equal((await post([item])).status, 489);
    assert.equal((await post([item, item])).status, 489);
  });
});

describe("a dialect that is none", () => {
  const broken: [string, unknown][] = [
    ["nothing at all", null],
    ["one without an answer", { ...cloudTasks, finalAnswer: undefined }],
    ["a status that allows no body", { ...cloudTasks, finalAnswer: { status: 204, headers: {} } }],
    ["a status that is none", { ...cloudTasks, finalAnswer: { status: 1000, headers: {} } }],
    ["a header that is none", {
      ...cloudTasks,
      finalAnswer: { status: 200, headers: { "a b": "" } },
    }],
    ["a mark that is no header", { ...cloudTasks, markHeader: "a b" }],
    ["a wait that is no time", { ...cloudTasks, stoppingRetryMs: NaN }],
  ];
  for (const [what, given] of broken) {
    const dialect = given as DeliveryDialect;
    const verify: Verify = async (request, body) =>
      ({ ...await verifyTask(request, body), dialect }) as VerifyResult;

    it(`is refused with its verifier: ${what}`, () => {
      const known = Object.assign(verify.bind(null), { dialects: [dialect] });
      const code = { code: "invalid_option" };
      assert.throws(() => createApp(new FakeReceiver(), { verify: known }), code);
      assert.throws(() => createStatelessApp([], { verify: known }), code);
      assert.throws(() => verifyAny(known), code);
    });

    it(`is a fault of the service where a result has it: ${what}`, async () => {
      const errors: unknown[] = [];
      const app = createApp(new FakeReceiver(() => ({ kind: "rejected", reason: "No" })), {
        verify,
        onError: (error) => void errors.push(error),
      });
      assert.equal((await app.request("/deliver", task(1))).status, 500);
      assert.match(String(errors[0]), /Cannot use a dialect/);
    });
  }
});

describe("a push without the dialect of its provider", () => {
  it("is a fault of the service", async () => {
    const errors: unknown[] = [];
    const app = createApp(new FakeReceiver(), {
      verify: async (request, body) => {
        const { dialect: _, ...result } = await verifyTask(request, body) as Record<
          string,
          unknown
        >;
        return result as never;
      },
      onError: (error) => void errors.push(error),
    });
    assert.equal((await app.request("/deliver", task(1))).status, 500);
    assert.match(String(errors[0]), /any push with its dialect/);
  });
});
