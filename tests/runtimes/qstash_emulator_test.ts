import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { ROOT } from "../support/repository.ts";
import { type Command, Program, run } from "../support/runtimes/program.ts";
import { bunPath, workplace } from "../support/runtimes/workplace.ts";
import { serve } from "../support/serve.ts";
import { skipFor } from "../support/skip.ts";

const ENTRY = "devtools/qstash_emulator/mod.ts";

/** Serves an emulator whose destination is in the same process, and says what arrives there. */
const SCRIPT = `
  import { serveQstashEmulator } from "@atlast/bus/qstash/emulator";
  const server = await serveQstashEmulator({
    async fetch(request) {
      const retried = request.headers.get("upstash-retried");
      const parts = request.headers.get("upstash-signature").split(".").length;
      console.log("arrived", request.url, await request.text(), parts, retried);
      const headers = { "retry-after": "0" };
      return new Response(null, { status: retried === "0" ? 500 : 200, headers });
    },
  });
  const publish = (destination, body) => fetch(server.url + "/v2/publish/" + destination, {
    method: "POST",
    body,
    headers: { authorization: "Bearer " + server.emulator.env("").QSTASH_TOKEN },
  });
  await publish("https://a.example/b//c?x=%20", "wörld");
  await server.emulator.idle();
  const refused = await publish("nowhere", "x".repeat(1000000));
  console.log("refused", refused.status, (await refused.json()).error.slice(0, 27));
  await server.close();
  console.log("closed");
`;

/** Why something cannot be made ready on this machine; false when it can. With `CI=true` it must. */
async function problemOf(prepare: () => Promise<unknown>): Promise<string | false> {
  try {
    await prepare();
    return false;
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    return skipFor(`Node and Bun cannot be made ready: ${String(error).split("\n")[0]}`);
  }
}

describe("the QStash emulator as a program", () => {
  it("prints what to set, then a line for each delivery, and ends when it is asked to", async () => {
    const destination = await serve(() => new Response(null, { status: 202 }));
    const program = new Program({
      command: process.execPath,
      args: ["run", "--quiet", "--allow-all", ENTRY, "--port", "0", "--token", "t-1"],
      cwd: ROOT,
    });
    try {
      const [, url] = await program.says(/^QSTASH_URL="(http:.*)"$/);
      const delivered = program.says(/^(msg_\w+) (\S+) (\d+)$/);
      const response = await fetch(`${url}/v2/publish/${destination.origin}/hook?key=s3cret`, {
        method: "POST",
        headers: { authorization: "Bearer t-1", "upstash-forward-x-key": "s3cret" },
        body: "s3cret",
      });
      const { messageId } = await response.json();
      const [, ...line] = await delivered;
      assert.deepEqual(line, [messageId, `${destination.origin}/hook`, "202"]);
      assert.match(program.output, /^QSTASH_TOKEN="t-1"$/m);
      assert.match(program.output, /^QSTASH_CURRENT_SIGNING_KEY="sig_\w+"$/m);
      assert.match(program.output, /^QSTASH_NEXT_SIGNING_KEY="sig_\w+"$/m);
      assert.doesNotMatch(program.output, /s3cret/);
    } finally {
      // Throws if it has to be killed.
      await program.stop();
      await destination.close();
    }
  });

  it("says what is wrong with its arguments", async () => {
    for (const args of [["--port", "x"], ["--plan", "gold"], ["--next-key", "k"], ["--huh"]]) {
      const command = {
        command: process.execPath,
        args: ["run", "-qA", ENTRY, ...args],
        cwd: ROOT,
      };
      await assert.rejects(run(command), /ended with 2:[^]*--port <port>/);
    }
  });
});

const runtimes: [string, () => Promise<Command>][] = [
  ["Node", async () => ({
    command: "node",
    args: ["--input-type=module", "-e", SCRIPT],
    cwd: join(await workplace(), "shop"),
  })],
  ["Bun", async () => ({
    command: await bunPath(),
    args: ["-e", SCRIPT],
    cwd: join(await workplace(), "shop"),
  })],
];
for (const [name, command] of runtimes) {
  const skip = await problemOf(command);
  describe(`the QStash emulator on ${name}`, { skip }, () => {
    it("serves, delivers, retries, refuses and closes", async () => {
      assert.deepEqual((await run(await command())).split("\n"), [
        "arrived https://a.example/b//c?x=%20 wörld 3 0",
        "arrived https://a.example/b//c?x=%20 wörld 3 1",
        "refused 400 invalid destination url: en",
        "closed",
      ]);
    });
  });
}
