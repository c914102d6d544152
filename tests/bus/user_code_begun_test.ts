import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryFence, memoryStore } from "../../adapters/memory/mod.ts";
import { type App, createApp } from "../../edge/mod.ts";
import { createStatelessApp, type StatelessAppOptions } from "../../edge/stateless/mod.ts";
import { httpCheckBack } from "../../adapters/http/mod.ts";
import { subscribe } from "../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../support/bus_fixture.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { KEY } from "../support/http.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { MISBEHAVIOURS, Switch } from "../support/misbehaving.ts";

const ONCE = { kind: "fixed", delayMs: 1_000, maxAttempts: 5 } as const;
/** A macrotask, in which the platform reports promises that nobody heard of. */
const turn = (delayMs = 0) => new Promise<void>((resolve) => setTimeout(resolve, delayMs));

describe("what a handler begins and does not wait for", () => {
  it("is stored with its effect when it publishes", async () => {
    const { bus, store } = fixture([
      subscribe(Placed, { group: "g" }, (_, { publish }) => {
        publish(Marked, { n: 1, ok: true }, { id: "inner" });
      }),
      subscribe(Marked, { group: "h" }, () => {}),
    ]);
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "handled");
    assert.equal(
      (await store.find("outbox", { id: "inner", group: "" }))?.message.name,
      Marked.name,
    );
  });

  it("fails its attempt when the publish is refused", async () => {
    for (const transaction of [true, false]) {
      const { bus, store } = fixture([
        subscribe(Placed, { group: "g", retry: ONCE, transaction }, (_, { publish }) => {
          publish(Placed, { n: "no number" as unknown as number });
        }),
      ]);
      await bus.deliver([arriving("m")]);
      const record = await store.find("inbox", { id: "m", group: "g" });
      assert.equal(record?.attempts, 1);
      assert.match(record?.reason ?? "", /invalid|Cannot accept/i);
      await turn();
    }
  });

  it("does not fail it when the handler looked at the failure", async () => {
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, async (_, { publish }) => {
        await publish(Placed, { n: "no number" as unknown as number }).catch(() => {});
        try {
          await publish(Placed, { n: "no number" as unknown as number });
        } catch {
          // It may go on.
        }
      }),
    ]);
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "handled");
  });

  it("fails its attempt without a store too", async () => {
    const app = createStatelessApp([
      subscribe(Placed, { group: "g" }, (_, { publish }) => {
        publish(Placed, { n: 1 });
      }),
    ], {
      verify: () => ({ ok: true }),
      service: "stateless",
      transport: new FakeTransport(() => {
        throw new Error("down");
      }),
    });
    assert.equal((await delivered(app)).status, 503);
    await turn();
  });
});

describe("a middleware that does not wait for next", () => {
  it("of a handler has its attempt fail with the handler", async () => {
    const { bus, store } = fixture([
      subscribe(Placed, { group: "g", retry: ONCE }, async () => {
        await turn();
        throw new Error("handler");
      }),
    ], {
      onConsume: [(body, _, next) => {
        next(body);
        return Promise.resolve("early");
      }],
    });
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "accepted");
    const record = await store.find("inbox", { id: "m", group: "g" });
    assert.deepEqual([record?.attempts, record?.reason], [1, "Error-->handler"]);
    await turn();
  });

  it("of a handler ends after the handler", async () => {
    const order: string[] = [];
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, async () => {
        await turn();
        order.push("handler");
      }),
    ], {
      onConsume: [(body, _, next) => {
        next(body);
        return Promise.resolve();
      }],
    });
    const [result] = await bus.deliver([arriving("m")]);
    order.push(result!.kind);
    assert.deepEqual(order, ["handler", "handled"]);
  });

  it("may give something else for a failure that it looked at", async () => {
    const { bus } = fixture([
      subscribe(Deduct, { group: "g" }, () => {
        throw new Error("handler");
      }),
    ], {
      onConsume: [async (body, _, next) => {
        try {
          return await next(body);
        } catch {
          return { n: 1, ok: false };
        }
      }],
    });
    const [result] = await bus.deliver([arriving("m", { name: Deduct.name })]);
    assert.equal(result?.kind, "handled");
  });

  it("cannot begin it once it has ended", async () => {
    let late: (() => Promise<unknown>) | undefined;
    let runs = 0;
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)], {
      onConsume: [(body, _, next) => {
        late = () => next(body);
        return Promise.resolve();
      }],
    });
    await bus.deliver([arriving("m")]);
    await assert.rejects(async () => await late?.(), { code: "stopped" });
    assert.equal(runs, 0);
  });

  it("of a publish has it rejected with what it failed with, and no receipt of nothing", async () => {
    const failing = fixture([], {
      transport: new FakeTransport(),
      onPublish: [(draft, next) => {
        next({ ...draft, body: { n: "no number" } });
        return Promise.resolve({ id: draft.id, duplicate: false } as never);
      }],
    });
    await assert.rejects(failing.bus.publish(Placed, { n: 1 }), { code: "invalid_body" });
    const silent = fixture([], {
      transport: new FakeTransport(),
      onPublish: [(draft, next) => {
        next(draft);
        return undefined as never;
      }],
    });
    await assert.rejects(silent.bus.publish(Placed, { n: 1 }), /want a receipt/);
    await turn();
  });
});

describe("user code that hangs", () => {
  it("as an alarm keeps a call for ten seconds at the most", async () => {
    const clock = new ManualClock();
    const { bus, observed } = fixture([], {
      clock,
      transport: new FakeTransport(),
      alarm: { graceMs: 0, arm: () => new Promise(() => {}) },
    });
    const publishing = bus.publish(Placed, { n: 1 });
    await clock.awaits(10_000);
    clock.advance(10_000);
    assert.equal((await publishing).duplicate, false);
    assert.equal(observed.all("error", { during: "alarm" }).length, 1);
  });

  it("as a handler or middleware fails its attempt when its time is up", async () => {
    const hang = () => new Promise<never>(() => {});
    for (const onConsume of [[], [hang]]) {
      const clock = new ManualClock();
      const { bus, store } = fixture([
        subscribe(Placed, { group: "g", retry: ONCE, timeoutMs: 5_000 }, hang),
      ], { clock, onConsume });
      const delivering = bus.deliver([arriving("m")]);
      await clock.awaits(5_000);
      clock.advance(5_000);
      await delivering;
      assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 1);
    }
  });

  it("as a fence that is asked is one that does not answer, when checkTimeoutMs is up", async () => {
    const clock = new ManualClock();
    let hasEnded: { readonly aborted: boolean } | undefined;
    const fence = Object.assign(memoryFence(), {
      check: (_: unknown, signal: { readonly aborted: boolean }) => {
        hasEnded = signal;
        return new Promise<never>(() => {});
      },
    });
    const { bus, store, observed } = fixture([], {
      clock,
      transport: new FakeTransport(),
      fence,
      check: { immunityMs: 0 },
      checkTimeoutMs: 7_000,
    });
    const { id } = await bus.prepare(Placed, { n: 1 });
    const ticking = bus.tick();
    await clock.awaits(7_000);
    clock.advance(7_000);
    await ticking;
    const record = await store.find("outbox", { id, group: "" });
    assert.deepEqual([record?.state, record?.checks, hasEnded?.aborted], ["prepared", 0, true]);
    assert.match(
      String(observed.all("error", { during: "check-back" })[0]?.error),
      /did not answer within 7000 ms/,
    );
  });
});

describe("a running bus", () => {
  for (const nonsense of [NaN, undefined, "soon", {}]) {
    it(`rests where its store says that something is due at ${String(nonsense)}`, async () => {
      const clock = new ManualClock();
      const inner = memoryStore();
      let claims = 0;
      const store = new Proxy(inner, {
        get(target, key) {
          // A turn of the event loop, so that a loop that spins does not keep the test from seeing it.
          if (key === "nextDueAt") return () => turn().then(() => nonsense);
          const value: unknown = Reflect.get(target, key, target);
          if (key === "claim") claims++;
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      const { bus, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
        store,
        clock,
      });
      await bus.start();
      await observed.until("error", { during: "dispatch" });
      const before = claims;
      await turn(50);
      // The clock stands still: nobody may look again.
      assert.ok(claims - before <= 10, `${claims - before} claims`);
      await bus.stop();
    });
  }
});

async function delivered(app: App, headers: Record<string, string> = {}): Promise<Response> {
  return await app.request("/deliver", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "cap-msg-id": "m",
      "cap-msg-name": Placed.name,
      ...headers,
    },
    body: `{"n":1}`,
  });
}

for (const [how, misbehave] of Object.entries(MISBEHAVIOURS)) {
  describe(`an app with user code that ${how}`, () => {
    const unverified = { verify: () => ({ ok: true } as const) };
    const broken = () => new Switch(misbehave).breaking(() => {});

    it("answers: onError", async () => {
      const app = createStatelessApp([], {
        verify: () => {
          throw new Error("broken");
        },
        onError: broken(),
      });
      assert.equal((await delivered(app)).status, 500);
      await turn();
    });

    it("answers, and lets nobody in: verify and beforeBody", async () => {
      for (
        const verify of [broken(), Object.assign(() => ({ ok: true }), { beforeBody: broken() })]
      ) {
        const app = createApp(fixture([subscribe(Placed, { group: "g" }, () => {})]).bus, {
          verify,
          onError: () => {},
        });
        const { status } = await delivered(app);
        // Null is what beforeBody says of a request that the body decides on.
        const decides = how === "gives null" && "beforeBody" in verify;
        assert.equal(status, decides ? 200 : 500);
      }
      await turn();
    });

    it("answers: the options of a subscriber without a store", async () => {
      const options: Record<string, Partial<StatelessAppOptions>> = {
        observe: { observe: broken() },
        random: { random: broken() },
        "clock.now": { clock: { now: broken(), after: () => () => {} } },
        "clock.after": { clock: { now: () => 0, after: broken() } },
        onConsume: { onConsume: [broken()] },
        "transport.send": { transport: Object.assign(new FakeTransport(), { send: broken() }) },
        "transport.routes": { transport: Object.assign(new FakeTransport(), { routes: broken() }) },
      };
      for (const [option, given] of Object.entries(options)) {
        const app = createStatelessApp([
          subscribe(Placed, { group: "g" }, async (_, { publish }) => {
            if (option.startsWith("transport")) await publish(Placed, { n: 1 });
          }),
        ], { ...unverified, service: "stateless", onError: () => {}, ...given });
        const { status } = await delivered(app);
        assert.ok([200, 489, 503].includes(status), `${option}: ${status}`);
      }
      await turn();
    });

    it("says unknown: onUnusable", async () => {
      const checkBack = httpCheckBack({
        url: "http://orders.example/checkback",
        signingKeys: [KEY],
        fetch: () => Promise.resolve(new Response("a page", { status: 200 })),
        onUnusable: broken(),
      });
      const question = { id: "h", name: "order.placed", epoch: 1, participant: "orders" };
      const asked = { ...question, preparedAtMs: 0, checkedAtMs: 0 };
      assert.equal(await checkBack.check(asked as never, new AbortController().signal), "unknown");
      await turn();
    });
  });
}
