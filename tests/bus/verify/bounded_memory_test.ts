import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { ROOT } from "../../support/repository.ts";

/** All records of both services would take several times as much. */
const HEAP_MIB = 96;
const MESSAGES = 1_000_000;

describe("a verification of a million messages", () => {
  it(`reads them in ${HEAP_MIB} MiB, a page at a time`, () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [
      ...["run", "--quiet", "--no-check", "--allow-all"],
      `--v8-flags=--max-old-space-size=${HEAP_MIB}`,
      `${ROOT}tests/support/verify_child.ts`,
      String(MESSAGES),
    ], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const { most, ...counts } = JSON.parse(stdout);
    assert.ok(most >= 1_000 && most <= 2_000, `${most} records at once`);
    assert.deepEqual(counts, {
      // A tenth is missing in the inbox, and a hundredth in the outbox.
      findings: MESSAGES / 10 + MESSAGES / 100,
      compared: { outbox: MESSAGES * 0.99, inbox: MESSAGES * 0.9, fence: 0 },
    });
  });
});
