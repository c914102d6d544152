import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Store } from "../../ports.ts";
import type { Carrier, Mode, Plan } from "./plan.ts";
import { runSeed } from "./run_seed.ts";
import type { Tx } from "../support/bus_fixture.ts";
import { SEED } from "../support/property.ts";

const RUNS = 8;
const MODES: readonly Mode[] = ["ticking", "running", "mixed"];
const CARRIERS: readonly Carrier[] = ["calls", "stream"];

/** Everything goes wrong all the time. */
const WORST: Partial<Plan> = {
  maxBatch: 20,
  rounds: 16,
  faults: { errors: 0.12, slow: 0.1, kills: 0.015, pauses: 0.005 },
  skewMs: 4_000,
  hasHalves: true,
  instances: 2,
};

describe(`bus: two services on unreliable ground, seeds from ${SEED}`, () => {
  for (const mode of MODES) {
    for (const carrier of CARRIERS) {
      for (let seed = SEED; seed < SEED + RUNS; seed++) {
        it(`nothing is lost or done twice, ${mode}, over ${carrier}, seed ${seed}`, async () => {
          const { promised, effects } = await runSeed(seed, { plan: { mode, carrier } });
          assert.ok(promised > 0);
          assert.ok(effects > 0);
        });
      }
    }
    it(`at its worst a seed replays exactly, ${mode}`, async () => {
      const options = { plan: { ...WORST, mode } };
      const run = await runSeed(SEED, options);
      assert.deepEqual(await runSeed(SEED, options), run);
      assert.notEqual((await runSeed(SEED + 1, options)).digest, run.digest);
    });

    it(`at its worst every trouble is met, ${mode}`, async () => {
      const sums = new Map<string, number>();
      for (let seed = SEED; seed < SEED + RUNS; seed++) {
        const { digest: _, counts, ...findings } = await runSeed(seed, {
          plan: { ...WORST, mode },
        });
        for (const [what, count] of Object.entries({ ...findings, ...counts })) {
          sums.set(what, (sums.get(what) ?? 0) + count);
        }
      }
      for (const [what, sum] of sums) assert.ok(sum > 0, `no ${what}`);
    });
  }
});

describe("bus: the simulation finds what is wrong with a store", () => {
  const finds = (what: RegExp, storeOf: (store: Store<Tx>) => Store<Tx>) => async () => {
    const found: string[] = [];
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      const plan = { ...WORST, mode: MODES[seed % MODES.length] as Mode };
      await runSeed(seed, { plan, storeOf }).catch((error) => found.push(String(error)));
    }
    assert.ok(found.some((each) => what.test(each)), `found ${found.join("\n") || "nothing"}`);
  };

  it(
    "a received message that is not kept",
    finds(/was sent/, (store) => {
      const add = store.add.bind(store);
      let count = 0;
      return Object.assign(store, {
        add: ((box, records, nowMs, tx) => {
          const isLost = box === "inbox" && ++count % 20 === 0;
          return isLost
            ? Promise.resolve(records.map(() => ({ added: true })))
            : add(box, records, nowMs, tx);
        }) as typeof add,
      });
    }),
  );

  it(
    "writes that outlive a transaction which was rolled back",
    finds(/strictly deep-equal|was rolled back/, (store) => {
      const add = store.add.bind(store);
      return Object.assign(store, {
        add: ((box, records, nowMs) => add(box, records, nowMs)) as typeof add,
      });
    }),
  );

  it(
    "a message that two claim at once",
    finds(/is handled by/, (store) => {
      const claim = store.claim.bind(store);
      let last: Awaited<ReturnType<typeof claim>> = [];
      return Object.assign(store, {
        claim: (async (request) => {
          const again = request.box === "inbox" ? last : [];
          const records = await claim(request);
          if (request.box === "inbox") last = records;
          return request.kind === "ready" ? [...again, ...records] : records;
        }) as typeof claim,
      });
    }),
  );
});
