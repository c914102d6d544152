import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DeliveryDialect } from "../../core/ports/dialect.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import type { Verify } from "../../core/wire/wire.ts";
import { createApp } from "../../edge/mod.ts";
import { createStatelessApp, NonRetryable, subscribe } from "../../edge/stateless/mod.ts";
import { openApiDocument } from "../../edge/openapi/mod.ts";
import { Placed } from "../support/bus_fixture.ts";
import { FakeReceiver } from "../support/fake_receiver.ts";
import { NOW_MS } from "../support/manual_clock.ts";

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
      push: {
        attempt: Number(retried) + 1,
        signedAtMs: NOW_MS,
        url,
        bindsHeaders: true,
        unbound: null,
      },
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
      undeliverable: () => Promise.resolve("failed" as const),
    });
    const app = createApp(bus, { verify: verifyTask, undeliverable: { verify: verifyTask } });
    assert.equal((await app.request("/undeliverable", task(1, "{}"))).status, 403);
  });

  it("has no path for them in a document without a dialect that does", () => {
    const serverUrl = "https://orders.example";
    assert.ok(!("/undeliverable" in openApiDocument({ serverUrl }).paths));
    assert.throws(
      () => openApiDocument({ serverUrl, paths: ["/undeliverable"] }),
      { code: "invalid_option" },
    );
  });
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
