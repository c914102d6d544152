/**
 * URL groups, which an older API called topics.
 *
 * @module
 */
import { isHttpUrl } from "../config.ts";
import type { UrlGroupRecord } from "../records.ts";
import { checkedName, done, INVALID_SCHEME, json, Refusal } from "../refusal.ts";
import { type Call, isObject, jsonBody, notFound, withoutNulls } from "./call.ts";

interface Endpoint {
  readonly url?: string;
  readonly name?: string;
}

/** `POST /v2/topics/<name>/endpoints`: adds endpoints, or renames existing ones. */
export async function addEndpoints(call: Call): Promise<Response> {
  const { account } = call;
  const { limits } = account.settings;
  const name = checkedName("url group name", call.params[0]);
  const endpoints = await endpointsOf(call);
  for (const { url, name } of endpoints) {
    if (url === undefined || !isHttpUrl(url)) throw new Refusal(400, INVALID_SCHEME);
    if (name !== undefined) checkedName("endpoint name", name);
  }
  const nowMs = account.now();
  const known = account.groups.get(name);
  if (known === undefined && account.groups.size >= limits.urlGroups) {
    throw new Refusal(412, "quota maxUrlGroups exceeded");
  }
  const merged = [...known?.endpoints ?? []];
  for (const { url, name } of endpoints) {
    const at = merged.findIndex((one) =>
      one.url === url || (name !== undefined && one.name === name)
    );
    const endpoint = { url: url!, ...(name === undefined ? {} : { name }) };
    if (at === -1) merged.push(endpoint);
    else merged[at] = endpoint;
  }
  if (merged.length > limits.endpoints) throw new Refusal(412, "quota maxEndpoints exceeded");
  account.groups.set(name, {
    name,
    createdAtMs: known?.createdAtMs ?? nowMs,
    updatedAtMs: nowMs,
    endpoints: merged,
    headers: known?.headers ?? new Map(),
  });
  return done();
}

/** `DELETE /v2/topics/<name>/endpoints`: by name or URL; a group without endpoints is deleted. */
export async function removeEndpoints(call: Call): Promise<Response> {
  const group = find(call);
  const removed = await endpointsOf(call);
  const left = group.endpoints.filter((endpoint) =>
    !removed.some(({ url, name }) =>
      (url !== undefined && url === endpoint.url) || (name !== undefined && name === endpoint.name)
    )
  );
  if (left.length === 0) call.account.groups.delete(group.name);
  group.endpoints.splice(0, Infinity, ...left);
  group.updatedAtMs = call.account.now();
  return done();
}

/** `PATCH /v2/topics/<name>`: headers for all messages of the group. */
export async function patchUrlGroup(call: Call): Promise<Response> {
  const group = find(call);
  const { headers } = await jsonBody(call);
  const isFine = typeof headers === "object" && headers !== null;
  if (!isFine) throw new Refusal(400, `invalid request body: want "headers"`);
  group.headers = new Map(
    Object.entries(headers).map(([name, value]) =>
      [name.toLowerCase(), Array.isArray(value) ? value.join(", ") : String(value)] as const
    ),
  );
  group.updatedAtMs = call.account.now();
  return done();
}

/** `GET /v2/topics` */
export function listUrlGroups({ account }: Call): Response {
  return json([...account.groups.values()].map(shown));
}

/** `GET /v2/topics/<name>` */
export function getUrlGroup(call: Call): Response {
  return json(shown(find(call)));
}

/** `DELETE /v2/topics/<name>`; the tests of the official clients delete groups that are not there. */
export function deleteUrlGroup({ account, params }: Call): Response {
  account.groups.delete(params[0]!);
  return done();
}

async function endpointsOf(call: Call): Promise<Endpoint[]> {
  const { endpoints: given } = await jsonBody(call);
  const endpoints = Array.isArray(given)
    ? given.map((one: unknown) => isObject(one) ? withoutNulls(one) : {})
    : [];
  const isText = (value: unknown) => value === undefined || typeof value === "string";
  const isFine = endpoints.length > 0 &&
    endpoints.every(({ url, name }) =>
      isText(url) && isText(name) && (url !== undefined || name !== undefined)
    );
  if (!isFine) {
    throw new Refusal(400, `invalid request body: want "endpoints" with "url" or "name"`);
  }
  return endpoints;
}

function find({ account, params }: Call): UrlGroupRecord {
  const group = account.groups.get(params[0]!);
  if (group === undefined) throw notFound("url group");
  return group;
}

function shown({ name, createdAtMs, updatedAtMs, endpoints }: UrlGroupRecord) {
  return { name, createdAt: createdAtMs, updatedAt: updatedAtMs, endpoints };
}
