/**
 * The programs of docs/other-languages.md, as that page shows them: an Atlast service, a publisher and a
 * subscriber in Python, and a publish with curl.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { lacksPrograms } from "../support/installed.ts";
import { codeBlocks } from "../support/markdown.ts";
import { readText, ROOT } from "../support/repository.ts";
import { Front, type Rule } from "../support/runtimes/front.ts";
import { Program } from "../support/runtimes/program.ts";
import { skipFor } from "../support/skip.ts";

const PAGE = readText("docs/other-languages.md");
const FOLDER = join(ROOT, ".tmp/docs/other_languages");

/** The blocks of the page that are whole files: their first line is a comment with their name. */
function filesOf(markdown: string): Map<string, string> {
  const named = codeBlocks(markdown).map((
    { code },
  ) => [/^(?:#|\/\/) ([\w-]+\.\w+)\n/.exec(code)?.[1], code]);
  return new Map(named.filter((each): each is [string, string] => each[0] !== undefined));
}

/** Lets requests pass, and loses the first answer to each body. */
function losingAnswers(kept: string[]): Rule {
  const seen = new Set<string>();
  return async ({ body }, forward) => {
    const text = new TextDecoder().decode(body);
    // The sender puts the time of the first attempt into its next ones.
    const id = /"(?:cap-msg-id|id)":\s*"([^"]+)"/.exec(text)?.[1] ?? text;
    kept.push(id);
    if (seen.has(id)) return null;
    seen.add(id);
    await forward();
    return Response.error();
  };
}

const lacking = lacksPrograms("python3", "openssl", "curl");

describe("the programs of docs/other-languages.md", {
  skip: lacking === null ? false : skipFor(lacking),
}, () => {
  const files = filesOf(PAGE);
  const programs: Program[] = [];
  let fronts: Front[] = [];
  let env: Record<string, string> = {};
  let stock: Program;
  let orders: Program;

  const start = async (
    name: string,
    command: string,
    args: readonly string[],
    front: Front,
  ): Promise<Program> => {
    const program = new Program({ command, args: [...args, join(FOLDER, name)], cwd: FOLDER, env });
    programs.push(program);
    const [, port] = await program.says(/Listening on .*?(\d+)\/?(?: \(.*)?$/);
    front.target = `http://127.0.0.1:${port}`;
    return program;
  };

  /** What a program beside those of the page prints. */
  const python = async (code: string): Promise<string> => {
    writeFileSync(join(FOLDER, "beside.py"), code);
    const program = new Program({
      command: "python3",
      args: [join(FOLDER, "beside.py")],
      cwd: FOLDER,
      env: { ...env, SHOP_DATABASE: "beside.db", STOCK_TARGET: fronts[2]?.target ?? "" },
    });
    programs.push(program);
    await program.ended();
    return program.output.trim();
  };

  before(async () => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const [name, code] of files) writeFileSync(join(FOLDER, name), code);
    fronts = [await Front.open(), await Front.open(), await Front.open()];
    const [ordersFront, shopFront, stockFront] = fronts as [Front, Front, Front];
    const key = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
    const oldKey = `whsec_${key()}`;
    env = {
      PORT: "0",
      OWN_KEY: key(),
      // Being rotated: "orders" has only the old one.
      SHOP_KEY: `${key()},${oldKey}`,
      STOCK_KEY: key().replace("=", ""),
      ORDERS_URL: ordersFront.origin,
      SHOP_URL: shopFront.origin,
      STOCK_URL: stockFront.origin,
    };
    stock = await start("stock.py", "python3", [], stockFront);
    const rotating = env;
    env = { ...env, SHOP_KEY: oldKey };
    orders = await start("orders.ts", process.execPath, ["run", "--allow-all"], ordersFront);
    env = rotating;
  });
  after(async () => {
    for (const program of programs) await program.kill();
    for (const front of fronts) await front.close();
  });

  it("are all there", () => {
    const names = ["atlast.py", "shop.py", "stock.py", "publish.sh", "orders.ts"];
    assert.deepEqual([...files.keys()], names);
  });

  it("say what the page says, with each effect once, although first answers are lost", {
    timeout: 120_000,
  }, async () => {
    const [, shopFront, stockFront] = fronts as [Front, Front, Front];
    const toStock: string[] = [];
    const toShop: string[] = [];
    stockFront.rule = losingAnswers(toStock);
    shopFront.rule = losingAnswers(toShop);
    const inStock = orders.says(/^order 1: in stock$/);
    const booked = [stock.says(/^payment 1 is booked$/), stock.says(/^payment 2 is booked$/)];
    const shop = await start("shop.py", "python3", [], shopFront);
    await Promise.all([inStock, ...booked, shop.ended()]).catch((error) => {
      throw new Error(programs.map(({ output }) => output).join("\n\n"), { cause: error });
    });
    const shown = codeBlocks(PAGE).find(({ before }) =>
      before.trim().endsWith("`shop.py` prints:")
    );
    assert.equal(shop.output.replace(/^Listening.*\n/, "") + "\n", shown?.code);
    const effects = stock.output.split("\n").filter((line) => !line.startsWith("Listening"));
    assert.deepEqual(effects.sort(), [
      "order 1: 2 deducted",
      "payment 1 is booked",
      "payment 2 is booked",
    ]);
    for (const received of [toStock, toShop]) {
      for (const id of new Set(received)) {
        assert.ok(received.filter((each) => each === id).length > 1, `${id} came once`);
      }
    }
  });

  it("publish with curl, once however often", { timeout: 60_000 }, async () => {
    const [, , stockFront] = fronts as [Front, Front, Front];
    stockFront.rule = null;
    const deducted = stock.says(/^order 7: 1 deducted$/);
    for (const duplicate of [false, true]) {
      const args = [join(FOLDER, "publish.sh")];
      const old = env["SHOP_KEY"]?.split(",")[1] ?? "";
      const own = { ...env, SHOP_KEY: old };
      const program = new Program({ command: "sh", args, cwd: FOLDER, env: own });
      await program.ended();
      const { id, ...said } = JSON.parse(program.output);
      assert.deepEqual([id, said.duplicate], ["shop:deduct:1", duplicate]);
    }
    await deducted;
  });

  it("pay once and send its message, however often and after what the call is repeated", {
    timeout: 60_000,
  }, async () => {
    for (const front of fronts) front.rule = null;
    const booked = stock.says(/^payment 11 is booked$/);
    const said = await python(`import shop
shop.set_up()
def state(payment):
    return shop.half("query", id=f"shop:payment:{payment}", participant="shop")
def paid(payment):
    return shop.connect().execute(
        "select count(*) from payments where id = ?", (f"shop:payment:{payment}",)).fetchone()[0]
print(shop.pay(11, 100, dies=True), state(11))
print(shop.pay(11, 100), paid(11), state(11) in ("scheduled", "succeeded"))
print(shop.pay(11, 100), paid(11))
print(shop.pay(12, 0), paid(12), state(12))
print(shop.pay(12, 100), paid(12), state(12))
`);
    assert.deepEqual(said.split("\n"), [
      "True prepared",
      "True 1 True",
      "True 1",
      "False 0 cancelled",
      "False 0 cancelled",
    ]);
    await booked;
  });

  it("answer whatever cannot be verified, and go on", { timeout: 60_000 }, async () => {
    const said = await python(`import http.client, os
from urllib.parse import urlparse
to = urlparse(os.environ["STOCK_TARGET"])
good = {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
for changed in (
    {"webhook-timestamp": "abc"}, {"webhook-timestamp": "\\xb2"}, {"webhook-timestamp": "9" * 5000},
    {"webhook-signature": "v1,\\xe9"}, {"webhook-id": "\\xe9"},
    {"content-length": "99999999"}, {"content-length": "x"}, {"content-length": "-1"},
):
    connection = http.client.HTTPConnection(to.hostname, to.port, timeout=10)
    headers = {"content-length": "2", **good, **changed}
    connection.putrequest("POST", "/messages")
    for name, value in headers.items():
        connection.putheader(name, value.encode("latin-1"))
    connection.endheaders(b"{}")
    print(connection.getresponse().status)
`);
    assert.deepEqual(said.split("\n"), Array(8).fill("401"));
  });

  it("cannot be sent what they sent themselves, nor what is for another service", async () => {
    const [ordersFront, shopFront, stockFront] = fronts as [Front, Front, Front];
    const sent: [string, Request][] = [];
    for (const front of fronts) {
      front.rule = ({ request, body, path }) => {
        const { headers } = request;
        sent.push([
          front.origin,
          new Request(`${front.origin}${path}`, { method: "POST", headers, body }),
        ]);
        return null;
      };
    }
    const deducted = orders.says(/^order 8: in stock$/);
    const again = { ...env, SHOP_DATABASE: "again.db" };
    writeFileSync(
      join(FOLDER, "again.py"),
      `import shop, threading, os
from http.server import ThreadingHTTPServer
shop.set_up()
server = ThreadingHTTPServer(("127.0.0.1", 0), shop.Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"Listening on port {server.server_port}", flush=True)
shop.place_order(8, qty=1)
print(*shop.arrived.get(timeout=60), flush=True)
os._exit(0)
`,
    );
    const program = new Program({
      command: "python3",
      args: [join(FOLDER, "again.py")],
      cwd: FOLDER,
      env: again,
    });
    programs.push(program);
    const [, port] = await program.says(/Listening on port (\d+)/);
    shopFront.target = `http://127.0.0.1:${port}`;
    await Promise.all([program.says(/^order\.marked/), deducted]);
    for (const front of fronts) front.rule = null;
    const origins = new Set(sent.map(([origin]) => origin));
    assert.equal(origins.size, 3);
    for (const [origin, request] of sent) {
      const other = origin === ordersFront.origin ? stockFront.origin : ordersFront.origin;
      const path = other === ordersFront.origin ? "/deliver" : "/messages";
      const { headers } = request;
      const body = await request.arrayBuffer();
      const response = await fetch(`${other}${path}`, { method: "POST", headers, body });
      assert.equal(response.status, 401, await response.text());
    }
  });
});
