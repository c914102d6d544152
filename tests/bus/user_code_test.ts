import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport, memoryFence, memoryStore } from "../../adapters/memory/mod.ts";
import type { Store } from "../../core/ports/store.ts";
import { type Bus, type BusOptions, createBus, HEADER, type Subscriber } from "../../mod.ts";
import { subscribe } from "../../mod.ts";
import { Placed, type Tx } from "../support/bus_fixture.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { MISBEHAVIOURS, Switch } from "../support/misbehaving.ts";

type Options = BusOptions<Tx> & Required<Pick<BusOptions, "transport">>;
/** Every option that is, or holds, code of the user's, and how it is broken. */
type Breaking = (broken: Switch, options: Options) => Partial<Options>;

const inStore = (method: keyof Store<Tx>): Breaking => (broken, { store }) => ({
  store: broken.in(store, method),
});
/** A method that the bus calls only with the capability `notifications`. */
const inNotifications = (method: "notify" | "listen"): Breaking => (broken, { store }) => {
  const notifying = Object.assign(store, {
    capabilities: { ...store.capabilities, notifications: true },
    notify: () => Promise.resolve(),
    listen: () => Promise.resolve(() => Promise.resolve()),
  });
  return { store: broken.in(notifying, method) };
};

const OPTIONS: Record<string, Breaking> = {
  "observe": (broken) => ({ observe: broken.breaking(() => {}) }),
  "random": (broken) => ({ random: broken.breaking(() => 0) }),
  "clock.now": (broken, { clock }) => ({ clock: broken.in(clock!, "now") }),
  "clock.after": (broken, { clock }) => ({ clock: broken.in(clock!, "after") }),
  "onPublish": (broken) => ({ onPublish: [broken.breaking((draft, next) => next(draft))] }),
  "onConsume": (broken) => ({ onConsume: [broken.breaking((body, _, next) => next(body))] }),
  "alarm.arm": (broken) => ({ alarm: { graceMs: 0, arm: broken.breaking(() => {}) } }),
  "checkBacks": (broken) => ({
    checkBacks: { orders: { check: broken.breaking(() => Promise.resolve("committed")) } },
  }),
  "fence.check": (broken) => ({ fence: broken.in(memoryFence(), "check") }),
  "transport.send": (broken, { transport }) => ({ transport: broken.in(transport, "send") }),
  "transport.routes": (broken, { transport }) => ({ transport: broken.in(transport, "routes") }),
  "transport.pull": (broken, { transport }) => ({ transport: broken.in(transport, "pull") }),
  "transport.close": (broken, { transport }) => ({ transport: broken.in(transport, "close") }),
  "store.ready": inStore("ready"),
  "store.add": inStore("add"),
  "store.claim": inStore("claim"),
  "store.renew": inStore("renew"),
  "store.settle": inStore("settle"),
  "store.find": inStore("find"),
  "store.prune": inStore("prune"),
  "store.nextDueAt": inStore("nextDueAt"),
  "store.transaction": inStore("transaction"),
  "store.notify": inNotifications("notify"),
  "store.listen": inNotifications("listen"),
  "store.close": inStore("close"),
};

/** Handlers and schemas that misbehave. */
const SUBSCRIBERS: Record<string, (broken: Switch) => Subscriber<Tx>> = {
  "a handler": (broken) => subscribe(Placed, { group: "g" }, broken.breaking(() => {})),
  "a handler in a batch": (broken) =>
    subscribe(Placed, { group: "g", maxBatch: 5 }, broken.breaking(() => {})),
  "a handler without a transaction": (broken) =>
    subscribe(Placed, { group: "g", transaction: false }, broken.breaking(() => {})),
  "a handler that listens to its signal": (broken) =>
    subscribe(Placed, { group: "g", timeoutMs: 1 }, (_, { signal }) => {
      signal.addEventListener("abort", broken.breaking(() => {}));
    }),
  "a schema": (broken) =>
    subscribe(
      {
        ...Placed,
        body: {
          "~standard": {
            version: 1,
            vendor: "test",
            validate: broken.breaking((value) => ({ value })),
          },
        } as never,
      },
      { group: "g" },
      () => {},
    ),
};

interface World {
  readonly bus: Bus<Tx>;
  readonly clock: ManualClock;
  /** The store that holds the records, whatever is in front of it. */
  readonly store: Store<Tx>;
}

function worldOf(
  broken: Switch,
  breaking: Breaking,
  subscriber: Subscriber<Tx> = subscribe(Placed, { group: "g" }, () => {}),
): World {
  const clock = new ManualClock();
  const store = memoryStore();
  // So many at once that no test uses them up.
  const retry = { kind: "fixed", delayMs: 1_000, maxAttempts: 1_000 } as const;
  const options: Options = { store, transport: inProcessTransport(), clock, retry };
  const bus = createBus({ ...options, ...breaking(broken, options) } as Options, [subscriber]);
  return { bus, clock, store };
}

/** Waits for a call, whatever it comes to. */
async function settled(call: () => unknown): Promise<void> {
  try {
    await call();
  } catch {
    // It may fail: what counts is what becomes of the message, and of the process.
  }
}

/** A macrotask, in which the platform reports promises that nobody heard of. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** Everything is called while something misbehaves, then the same message is published and handled. */
async function survives({ bus, clock, store }: World, broken: Switch): Promise<void> {
  await settled(() => bus.publish(Placed, { n: 1 }, { id: "m-1" }));
  await settled(() => bus.prepare(Placed, { n: 1 }, { id: "h-1" }));
  await settled(() =>
    bus.deliver([{
      id: "d-1",
      name: Placed.name,
      headers: { [HEADER.callbackName]: "nowhere" },
      contentType: "application/json",
      body: `{"n":1}`,
      sentAtMs: 0,
    }])
  );
  for (let i = 0; i < 3; i++) {
    await settled(() => bus.tick());
    clock.advance(61_000);
    await turn();
  }
  broken.isOn = false;
  await settled(() => bus.publish(Placed, { n: 1 }, { id: "m-1" }));
  for (let i = 0; i < 4; i++) {
    await settled(() => bus.tick());
    clock.advance(61_000);
    await turn();
  }
  const record = await store.find("inbox", { id: "m-1", group: "g" });
  // Either it was handled, or it failed for good with its reason: nothing is lost without a word.
  const isHandled = record?.state === "succeeded";
  const isFailed = record?.state === "failed" && (record.reason ?? "") !== "";
  assert.ok(isHandled || isFailed, JSON.stringify(record));
  await settled(() => bus.stop());
  await turn();
}

for (const [option, breaking] of Object.entries(OPTIONS)) {
  describe(`the option ${option}`, () => {
    for (const [how, misbehave] of Object.entries(MISBEHAVIOURS)) {
      it(`may be something that ${how}`, async () => {
        const broken = new Switch(misbehave);
        await survives(worldOf(broken, breaking), broken);
      });
    }
  });
}

for (const [what, make] of Object.entries(SUBSCRIBERS)) {
  describe(what, () => {
    for (const [how, misbehave] of Object.entries(MISBEHAVIOURS)) {
      it(`may be something that ${how}`, async () => {
        const broken = new Switch(misbehave);
        await survives(worldOf(broken, () => ({}), make(broken)), broken);
      });
    }
  });
}
