/**
 * Requests and answers of an app, held against its OpenAPI document.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { OpenApiDocument } from "../../edge/openapi/mod.ts";

type Json = Record<string, unknown>;

/** Headers that any answer of HTTP may have. */
const COMMON_HEADERS: ReadonlySet<string> = new Set(["content-type", "cache-control"]);

/** A request that is made, and what is expected of it. */
export interface Asked {
  /** Its method and path, such as `POST /deliver`. */
  readonly operation: string;
  /** What comes after the path. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
  /** The status that it is answered with. */
  readonly status: number;
}

/** Holds what an app does against what its document says. */
export class Described {
  readonly #document: OpenApiDocument;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  readonly #seen = new Set<string>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    // A member that the document does not tell of is a mistake in one of them, though readers let it be.
    this.#ajv.addSchema(closed(document) as Json, "document");
  }

  /** Every operation and status of the document, such as `POST /deliver 200`. */
  get promised(): string[] {
    return Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) =>
        Object.keys((operation as Json)["responses"] as Json)
          .map((status) => `${method.toUpperCase()} ${path} ${status}`)
      )
    );
  }

  /** Those of {@linkcode promised} that were seen. */
  get seen(): string[] {
    return [...this.#seen];
  }

  /** Makes a request, and checks it and its answer; gives back the answer's body. */
  async ask(
    app: { request(path: string, init?: RequestInit): Response | Promise<Response> },
    asked: Asked,
  ): Promise<unknown> {
    const { operation, query = "", headers = {}, body, status } = asked;
    const [method = "", path = ""] = operation.split(" ");
    const about = this.#document.paths[path]?.[method.toLowerCase()] as Json | undefined;
    assert.ok(about !== undefined, `${operation} is not in the document`);
    const at = `${pointer("paths", path, method.toLowerCase())}`;
    if (status < 300) this.#checkRequest(about, at, asked);
    const init: RequestInit & { duplex: "half" } = { method, headers, duplex: "half" };
    const response = await app.request(path + query, body === undefined ? init : { ...init, body });
    const text = await response.text();
    assert.equal(response.status, status, `${operation}: ${text}`);
    this.#seen.add(`${operation} ${status}`);
    return this.#checkAnswer(about, at, response, text);
  }

  #checkRequest(about: Json, at: string, { operation, headers = {}, body }: Asked): void {
    const parameters = (about["parameters"] as Json[]).map(({ name }) => name);
    for (const name of Object.keys(headers)) {
      const isMessages = name.startsWith("cap-") || name.startsWith("atlast-");
      assert.ok(!isMessages || parameters.includes(name), `${operation} has no parameter ${name}`);
    }
    for (const { name, required } of about["parameters"] as Json[]) {
      assert.ok(!required || String(name) in headers, `${operation} wants ${name}`);
    }
    const content = (about["requestBody"] as Json | undefined)?.["content"] as Json | undefined;
    if (content === undefined) return;
    const type = headers["content-type"] ?? "";
    if (!(type in content)) return assert.ok("*/*" in content, `${operation} takes no ${type}`);
    const schema = this.#schema(`${at}${pointer("requestBody", "content", type, "schema")}`);
    assert.ok(schema(JSON.parse(String(body))), this.#errors(`${operation} asks`, schema));
  }

  #checkAnswer(about: Json, at: string, response: Response, text: string): unknown {
    const { status } = response;
    const said = ((about["responses"] as Json)[String(status)] as Json) ?? {};
    const known = said["headers"] as Record<string, { $ref: string }> | undefined ?? {};
    for (const name of response.headers.keys()) {
      assert.ok(name in known || COMMON_HEADERS.has(name), `${at} ${status} has header ${name}`);
    }
    for (const [name, { $ref }] of Object.entries(known)) {
      const header = this.#document.components["headers"]?.[$ref.split("/").at(-1) ?? ""] as Json;
      const value = response.headers.get(name);
      assert.ok(value !== null || header["required"] !== true, `${at} ${status} wants ${name}`);
      if (value === null) continue;
      const schema = this.#schema(`${$ref}/schema`);
      assert.ok(schema(value), this.#errors(`${at} ${status} ${name}`, schema));
    }
    const type = response.headers.get("content-type") ?? "";
    assert.deepEqual(Object.keys(said["content"] as Json ?? {}), [type], `${at} ${status}`);
    const content = pointer("responses", String(status), "content", type, "schema");
    const schema = this.#schema(`${at}${content}`);
    const body: unknown = JSON.parse(text);
    assert.ok(schema(body), this.#errors(`${at} ${status} answers`, schema));
    return body;
  }

  #schema(at: string): ValidateFunction {
    const found = this.#ajv.getSchema(`document${at.startsWith("#") ? at : `#${at}`}`);
    assert.ok(found !== undefined, `no schema at ${at}`);
    return found;
  }

  #errors(what: string, { errors }: ValidateFunction): string {
    return `${what}: ${this.#ajv.errorsText(errors ?? [])}`;
  }
}

/** A JSON pointer; in a fragment, so that a URL may hold it. */
function pointer(...steps: readonly string[]): string {
  return steps
    .map((step) => `/${encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"))}`)
    .join("");
}

/** The same with every object closed that says what is in it. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closed(value)]),
  );
  const isOpen = inner["type"] === "object" && "properties" in inner &&
    !("additionalProperties" in inner);
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}
