import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readDelayTime } from "../../../core/message/delay_time.ts";

describe("how long a message is to wait, from its header", () => {
  it("is milliseconds as Atlast writes them, or a TimeSpan as CAP does", () => {
    const delays: [string, number][] = [
      ["0", 0],
      ["1500", 1500],
      ["00:05:00", 300_000],
      ["23:59:59", 86_399_000],
      ["00:00:01.5", 1500],
      ["00:00:00.0010000", 1],
      ["1.00:00:00", 86_400_000],
      ["30.12:00:01.2500000", 30 * 86_400_000 + 43_201_250],
    ];
    for (const [text, delayMs] of delays) assert.equal(readDelayTime(text), delayMs, text);
  });

  it("is nothing else", () => {
    const others = [
      "",
      " 1",
      "-1",
      "1.5",
      "1e3",
      "5s",
      "00:60:00",
      "00:00:60",
      "24:00:00",
      "1:2:3",
    ];
    others.push("00:05", "00:05:00Z", "9999999999999999", "99999999.00:00:00.00000001");
    for (const text of others) assert.equal(readDelayTime(text), null, text);
  });
});
