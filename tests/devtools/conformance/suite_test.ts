import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  fenceSuite,
  type Skip,
  storeSuite,
  transportSuite,
} from "../../../devtools/conformance/mod.ts";
import { suiteOf } from "../../../devtools/conformance/suite.ts";

/** A suite of two cases, the second of which fails, with a note of what happens. */
function suite(skip: readonly Skip[] = []) {
  const noted: string[] = [];
  const cases = suiteOf<number>({
    good: { "it holds": (subject) => Promise.resolve(void noted.push(`run ${subject}`)) },
    bad: { "it does not hold": () => Promise.reject(new Error("no")) },
  }, {
    skip,
    open() {
      noted.push("open");
      return Promise.resolve({
        subject: 5,
        close: () => Promise.resolve(void noted.push("close")),
      });
    },
  });
  return { cases, noted };
}

describe("a conformance suite", () => {
  it("is a list of cases, each with what it opens and closes, also when it fails", async () => {
    const { cases, noted } = suite();
    assert.deepEqual(cases.map(({ topic, name, skip }) => [topic, name, skip]), [
      ["good", "it holds", null],
      ["bad", "it does not hold", null],
    ]);
    assert.deepEqual(noted, []);
    await cases[0]?.run();
    assert.deepEqual(noted.splice(0), ["open", "run 5", "close"]);
    await assert.rejects(cases[1]?.run() ?? Promise.resolve(), /^Error: no$/);
    assert.deepEqual(noted, ["open", "close"]);
  });

  it("says of the cases that are left out why", () => {
    for (const which of [{ tests: ["it holds"] }, { topics: ["good"] }]) {
      const { cases } = suite([{ reason: "it cannot", ...which }]);
      assert.deepEqual(cases.map(({ skip }) => skip), ["it cannot", null]);
    }
  });

  it("refuses options that are none", () => {
    const open = () => Promise.reject(new Error("not opened"));
    const capabilities = { transactions: true, durable: true, shared: true };
    const wrong = [
      {},
      { open },
      { capabilities },
      { capabilities, open: 5 },
      { capabilities, open, seed: 0.5 },
      { capabilities, open, seed: 2 ** 31 },
      { capabilities, open, skips: [] },
      { capabilities, open, skip: [{ tests: [] }] },
    ];
    for (const options of wrong) {
      assert.throws(() => storeSuite(options as never), {
        code: "invalid_option",
        message: /^Cannot make a suite with /,
      }, JSON.stringify(options));
    }
    assert.throws(() => transportSuite({} as never), { code: "invalid_option" });
    assert.throws(() => fenceSuite({} as never), { code: "invalid_option" });
  });

  it("refuses to leave out a case that there is not, or without a reason", () => {
    const error = { code: "invalid_option", message: /^Cannot skip \["?/ };
    assert.throws(() => suite([{ reason: "it cannot", tests: ["it hlods"] }]), error);
    assert.throws(() => suite([{ reason: "it cannot", topics: ["it holds"] }]), error);
    assert.throws(() => suite([{ reason: " ", tests: ["it holds"] }]), error);
    const open = () => Promise.reject(new Error("not opened"));
    const skip = [{ reason: "it cannot", tests: ["no case"] }];
    const capabilities = { transactions: true, durable: true, shared: true };
    assert.throws(() => storeSuite({ capabilities, open, skip }), error);
    assert.throws(() => transportSuite({ open, skip }), error);
    assert.throws(() => fenceSuite({ open, skip }), error);
  });
});
