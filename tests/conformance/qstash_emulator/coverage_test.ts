import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { describe, it } from "node:test";
import { Client, Receiver } from "@upstash/qstash";
import { readText, ROOT } from "../../support/repository.ts";

/** What the official client has and the emulator has not, each with its reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "chat.prompt": "language models; chat.create is there for its 429 alone",
  "workflow.cancel": "workflows have a package and a service of their own",
  "receiver.verifyWithKey": "a part of verify, private in its types",
  "receiver.verifyBodyAndUrl": "the same",
};

const client = new Client({ baseUrl: "http://qstash.test", token: "t", devMode: false });
/** The parts of the client, and where their tests are; those of the client itself are in several files. */
const GROUPS: Readonly<Record<string, { readonly part: object; readonly tests: string }>> = {
  client: { part: client, tests: "{publish,batch,logs,queue,client}" },
  queue: { part: client.queue({ queueName: "q" }), tests: "queue" },
  urlGroups: { part: client.urlGroups, tests: "url_groups" },
  schedules: { part: client.schedules, tests: "schedules" },
  messages: { part: client.messages, tests: "messages" },
  dlq: { part: client.dlq, tests: "dlq" },
  flowControl: { part: client.flowControl, tests: "flow_control" },
  chat: { part: client.chat(), tests: "client" },
  workflow: { part: client.workflow, tests: "client" },
  receiver: {
    part: new Receiver({ currentSigningKey: "c", nextSigningKey: "n", devMode: false }),
    tests: "receiver",
  },
};

/** The methods of a class of the client, its own and those it is given when it is made. */
function methodsOf(part: object): string[] {
  const prototype: object = Object.getPrototypeOf(part);
  const names = [...Object.getOwnPropertyNames(prototype), ...Object.keys(part)];
  const isMethod = (name: string): boolean => {
    const property = Object.getOwnPropertyDescriptor(prototype, name) ??
      Object.getOwnPropertyDescriptor(part, name);
    return typeof property?.value === "function" && name !== "constructor";
  };
  // `createThirdParty` and the like are private, but for their names.
  return names.filter((name) => isMethod(name) && !/^(createThirdParty|getAuthor)/.test(name));
}

describe("the official client is used method by method", () => {
  const methods = Object.entries(GROUPS).flatMap(([name, { part, tests }]) =>
    methodsOf(part).map((method) => ({ path: `${name}.${method}`, method, tests }))
  );

  for (const { path, method, tests } of methods.filter(({ path }) => !(path in LEFT_OUT))) {
    it(path, () => {
      const files = globSync(`tests/conformance/qstash_emulator/${tests}_test.ts`, { cwd: ROOT });
      assert.match(files.map(readText).join("\n"), new RegExp(`\\.${method}\\(`));
    });
  }

  it("and what is left out is there to be left out", () => {
    const paths = methods.map(({ path }) => path);
    assert.deepEqual(Object.keys(LEFT_OUT).filter((path) => !paths.includes(path)), []);
    assert.ok(paths.length > 40, `got ${paths.length} methods`);
  });
});
