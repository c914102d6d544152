/**
 * `deno task docs` writes `docs/options.md` with this: every option of every function, from the docstrings of
 * the interfaces. `tests/laws/pages_test.ts` fails when the page is not current, or lacks an options type.
 *
 * @module
 */
import { DEFAULT_CHECK, DEFAULT_EXPIRY } from "../mod.ts";
import { type DocumentedType, documentedTypes, type Field } from "./docs/doc_json.ts";
import { type GeneratedPage, paragraph } from "./docs/markdown.ts";

/** A part of the page: the function that is called, and the types of its options in their order. */
interface Section {
  readonly title: string;
  readonly intro: string;
  readonly types: readonly string[];
}

const SECTIONS: readonly Section[] = [
  {
    title: "The bus",
    intro:
      "`createBus(options, subscribers)` of `@atlast/bus`. Only `store` and `transport` are required, " +
      "and with `sharedStore` only `store`. A value " +
      "outside what an option allows throws `invalid_option` when the bus is made.",
    types: ["BusOptions", "SharedStoreOptions", "ExpiryPolicy", "CheckPolicy", "HealthOptions"],
  },
  {
    title: "Retry policies",
    intro:
      "The option `retry` of a bus, a contract, a subscriber and a publish call takes one of these objects. " +
      "`DEFAULT_RETRY` is CAP's schedule: 3 attempts at once, from 4 minutes on one a minute, 50 in all. " +
      "`NOTIFY_RETRY` is a list of delays for notifications.",
    types: ["CapRetry", "FixedRetry", "ExponentialRetry", "ListedRetry"],
  },
  {
    title: "Contracts, publish calls and subscribers",
    intro: "`defineMessage(name, options)`, `bus.publish(contract, body, options)`, " +
      "`bus.publishRaw(message, options)` and `subscribe(contract, options, handler)` of `@atlast/bus`. " +
      "`bus.prepare` and `bus.transact` take the options of a publish call except `tx` and `destination`.",
    types: ["ContractOptions", "PublishOptions", "RawOptions", "SubscribeOptions"],
  },
  {
    title: "The body of a failure callback",
    intro: "What a contract with `body: failureReport` of `@atlast/bus` takes.",
    types: ["FailureReport"],
  },
  {
    title: "The edge app",
    intro:
      "`createApp(bus, options)` and `createCheckBackApp(fence, options)` of `@atlast/bus/edge`.",
    types: [
      "AppOptions",
      "PublishRouteOptions",
      "HalfMessageRouteOptions",
      "CheckBackOptions",
      "QueryOptions",
      "DeadLetterRouteOptions",
      "CheckBackAppOptions",
      "OpenApiOptions",
      "Principal",
    ],
  },
  {
    title: "The stateless app",
    intro: "`createStatelessApp(subscribers, options)` of `@atlast/bus/edge/stateless`.",
    types: ["StatelessAppOptions", "StatelessOptions"],
  },
  {
    title: "Verification",
    intro: "`verify(options)` of `@atlast/bus/verify`: see [after a restore or a failover]" +
      "(after-a-restore.md).",
    types: ["VerifyOptions", "VerifiedService"],
  },
  {
    title: "The client",
    intro: "`createClient(options)` of `@atlast/bus/client`.",
    types: ["ClientOptions"],
  },
  {
    title: "Postgres and PGlite",
    intro:
      "`postgresStore(sql, options)`, `postgresFence(sql, options)`, `guardPostgres(sql, options)` and the " +
      "migrations of `@atlast/bus/postgres`; `pgStore(pool, options)`, `pgFence(pool, options)` and " +
      "`pgDriver(pool, options)` of `@atlast/bus/pg`; `sqlStore(driver, options)` and `sqlFence(driver, options)` of " +
      "`@atlast/bus/sql`; `pgliteStore(db, options)` and `pgliteFence(db, options)` of " +
      "`@atlast/bus/pglite`.",
    types: [
      "SqlStoreOptions",
      "SqlFenceOptions",
      "PgStoreOptions",
      "PgFenceOptions",
      "PgDriverOptions",
      "GuardPostgresOptions",
      "MigrationOptions",
      "MigrationSqlOptions",
      "PgliteStoreOptions",
    ],
  },
  {
    title: "Upstash Redis",
    intro:
      "`upstashRedisStore(options)`, `upstashRedisFence(options)` and `upstashStreamTransport(options)` of " +
      "`@atlast/bus/upstash-redis`.",
    types: ["UpstashRedisOptions", "UpstashRedisFenceOptions", "UpstashStreamTransportOptions"],
  },
  {
    title: "HTTP",
    intro: "`httpTransport(options)`, `verifySignature(options)` and `httpCheckBack(options)` of " +
      "`@atlast/bus/http`.",
    types: [
      "HttpTransportOptions",
      "HttpTarget",
      "HttpDestination",
      "VerifySignatureOptions",
      "HttpCheckBackOptions",
    ],
  },
  {
    title: "QStash",
    intro: "`qstashTransport(options)` and `qstashAlarm(options)` of `@atlast/bus/qstash`; " +
      "`verifyQstash(options)` of `@atlast/bus/qstash/verify`.",
    types: [
      "QstashTransportOptions",
      "QstashAccess",
      "QstashChoices",
      "QstashAlarmOptions",
      "VerifyQstashOptions",
    ],
  },
  {
    title: "The testing kit",
    intro:
      "`createTestKit(options, subscribers)`, `kit.drained(options)`, `kit.inject(kind, options)` and " +
      "`runHandler(subscriber, body, options)` of `@atlast/bus/testing`: see [testing](testing.md). A kit also " +
      "takes the options of [`createBus`](#busoptions) except `transport`, `clock` and `subscribers`.",
    types: ["TestKitOptions", "DrainOptions", "FaultOptions", "RunHandlerOptions"],
  },
  {
    title: "The conformance suites",
    intro:
      "`storeSuite(options)`, `transportSuite(options)` and `fenceSuite(options)` of `@atlast/bus/conformance`: see " +
      "[writing an adapter](writing-an-adapter.md#the-conformance-suites).",
    types: ["StoreSuiteOptions", "TransportSuiteOptions", "SuiteOptions"],
  },
  {
    title: "The simulator",
    intro: "`simulate(options)` of `@atlast/bus/simulation`: see " +
      "[writing an adapter](writing-an-adapter.md#the-simulator).",
    types: ["SimulateOptions"],
  },
  {
    title: "The QStash emulator",
    intro:
      "`createQstashEmulator(options)`, `serveQstashEmulator(options)` and `seededFaults(options)` of " +
      "`@atlast/bus/qstash/emulator`, for development and tests.",
    types: ["QstashEmulatorOptions", "QstashServerOptions", "SeededFaultsOptions"],
  },
  {
    title: "The Upstash Redis proxy",
    intro:
      "`createRedisProxy(options)` and `serve(fetch, options)` of `@atlast/bus/upstash-redis/proxy`, for " +
      "development and tests.",
    types: ["RedisProxyOptions", "ServeOptions"],
  },
];

/** Options that users do not set: adapters pass them to the bus. */
const FOR_ADAPTERS: readonly string[] = ["DeliverOptions"];
/** Types of fields of another type, which are already on the page. */
const ALIASES: readonly string[] = ["HalfMessageOptions"];

/** Defaults that are fields of a constant rather than a tag of a docstring. */
const CONSTANTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ExpiryPolicy: { ...DEFAULT_EXPIRY },
  CheckPolicy: { ...DEFAULT_CHECK },
};

/** The page of all options. */
export const optionsPage: GeneratedPage = {
  path: "docs/options.md",
  text: () => pageOf(documentedTypes()),
};

/** The exported types of options that the page does not have. */
export function missingOptions(types: Iterable<string>): string[] {
  const shown = new Set([
    ...SECTIONS.flatMap((section) => section.types),
    ...FOR_ADAPTERS,
    ...ALIASES,
  ]);
  return [...types].filter((name) => /Options$/.test(name) && !shown.has(name));
}

/**
 * Checks that an option has its default as a tag, where JSR and this page find it, and not in its text.
 *
 * @throws {Error} Where it does not.
 */
export function checkDefault(type: string, { name, doc }: Pick<Field, "name" | "doc">): void {
  if (!/\b(?:if|when) not given\b|\bnot given[,:]/i.test(paragraph(doc))) return;
  throw new Error(`Cannot document ${type}.${name}: say its default with @default, not in words`);
}

function pageOf(types: ReadonlyMap<string, DocumentedType>): string {
  const missing = missingOptions(types.keys());
  if (missing.length > 0) {
    throw new Error(`Cannot write the page of options: no section has ${missing.join(", ")}`);
  }
  return [
    "# Options",
    "<!-- Generated by `deno task docs` from the docstrings. Do not edit. -->",
    "Every option of every function of the package. Names that end in `Ms` are milliseconds, those that end in `S` " +
    'are seconds, those that end in `Bytes` are bytes. An option without "required" may be left out.',
    SECTIONS.map(({ title, types }) =>
      `- [${title}](#${slug(title)}): ${
        types.map((name) => `[\`${name}\`](#${slug(name)})`).join(", ")
      }`
    ).join("\n"),
    ...SECTIONS.flatMap((section) => sectionText(section, types)),
  ].join("\n\n");
}

function sectionText(
  { title, intro, types: names }: Section,
  types: ReadonlyMap<string, DocumentedType>,
): string[] {
  return [`## ${title}`, intro, ...names.flatMap((name) => typeText(name, types))];
}

function typeText(name: string, types: ReadonlyMap<string, DocumentedType>): string[] {
  const type = types.get(name);
  if (type === undefined) throw new Error(`Cannot describe ${name}: nothing exports it`);
  for (const field of type.fields) checkDefault(name, field);
  const bases = type.bases.filter((base) => types.has(base));
  return [
    `### ${name}`,
    paragraph(type.doc),
    ...(bases.length === 0
      ? []
      : [`It also has the options of ${
        bases.map((base) => `[\`${base}\`](#${slug(base)})`).join(" and ")
      }.`]),
    type.fields.map((field) => fieldText(field, CONSTANTS[name]?.[field.name])).join("\n"),
  ];
}

function fieldText(
  { name, type, isOptional, defaultValue, doc }: Field,
  constant: unknown,
): string {
  const value = constant === undefined ? defaultValue : numberText(constant);
  const standing = value !== null ? `, default: ${asCode(value)}` : isOptional ? "" : ", required";
  return `- **\`${name}\`**: \`${type}\`${standing}. ${paragraph(doc)}`;
}

/** A default that is a value is code; one in words stays text. */
function asCode(value: string): string {
  const isValue = /^(-?[\d_.]+|true|false|null|"[^"]*"|[A-Z][A-Z_]+|\{.*\}|\[.*\])$/.test(value);
  return isValue ? `\`${value}\`` : paragraph(value);
}

function numberText(value: unknown): string {
  return typeof value === "number" ? String(value).replace(/\B(?=(\d{3})+$)/g, "_") : String(value);
}

function slug(heading: string): string {
  return heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
}
