import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countTests, readReport, type TestCase } from "../../tools/report.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="9" failures="2" errors="0" time="0.089">
    <testsuite name="./a_test.ts" tests="9" disabled="3" errors="0" failures="2">
        <testcase name="alone &amp; &lt;fine&gt;" classname="./a_test.ts" time="0.001" line="3" col="1">
        </testcase>
        <testcase name="group" classname="./a_test.ts" time="0.004" line="9" col="1">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="group &gt; good" classname="x" time="0.000" line="1" col="2">
        </testcase>
        <testcase name="group &gt; bad" classname="x" time="0.001" line="1" col="2">
            <failure message="Uncaught Error: no">&lt;skipped/&gt;</failure>
        </testcase>
        <testcase name="group &gt; later" classname="x" time="0.000" line="1" col="2">
            <skipped/>
        </testcase>
        <testcase name="whole group" classname="./a_test.ts" time="0.000" line="10" col="1">
            <skipped/>
        </testcase>
        <testcase name="filtered out" classname="./a_test.ts" line="10" col="1">
            <skipped/>
        </testcase>
        <testcase name="cut short" classname="./a_test.ts" time="0.000" line="11" col="1">
            <error message="Cancelled"/>
        </testcase>
    </testsuite>
</testsuites>`;

describe("the report of a test run", () => {
  it("is read with its names as they were", () => {
    assert.deepEqual(readReport(REPORT).map(({ name }) => name), [
      "alone & <fine>",
      "group",
      "group > good",
      "group > bad",
      "group > later",
      "whole group",
      "cut short",
    ]);
  });

  it("counts tests and not their groups", () => {
    assert.deepEqual(countTests(readReport(REPORT)), { passed: 2, failed: 2, skipped: 2 });
  });

  it("counts a group that fails of itself", () => {
    const passed: TestCase = { name: "group > test", outcome: "passed", failedWithin: false };
    const leaking: TestCase = { name: "group", outcome: "failed", failedWithin: false };
    assert.deepEqual(countTests([leaking, passed]), { passed: 1, failed: 1, skipped: 0 });
  });
});
