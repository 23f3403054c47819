/** The client of the service, made from its OpenAPI description, for the chosen target. */
import { computed, signal } from "@preact/signals";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

/** Where the service is: the page may stand under a path of a proxy. */
export const ROOT = new URL(".", document.baseURI).pathname.replace(/\/$/, "");

const asked = new URLSearchParams(location.search);

/** The key that a person typed in; it is forgotten with the page. */
export const key = signal("");
export const keyWanted = signal(false);
export const model = signal(asked.get("model") ?? "");
export const target = signal(asked.get("target") ?? "");

const ofName = (kind: string, name: string) => (name ? `/${kind}/${encodeURIComponent(name)}` : "");
const modelAddress = computed(() => `${ROOT}${ofName("models", model.value)}`);
const targetAddress = computed(() => `${modelAddress.value}${ofName("targets", target.value)}`);

/** Address of a path of the chosen target. */
export const addressOf = (path: string) => `${targetAddress.value}${path}`;

/** Headers that every request needs. */
export function credentials(): Record<string, string> {
  return key.value ? { Authorization: `Bearer ${key.value}` } : {};
}

/** What a failed request says, in one line. */
export class Problem extends Error {}

async function send(request: Request): Promise<Response> {
  for (const [name, value] of Object.entries(credentials())) request.headers.set(name, value);
  try {
    return await fetch(request);
  } catch {
    throw new Problem("the service does not answer; is it running?");
  }
}

const clients = new Map<string, ReturnType<typeof createClient<paths>>>();

function clientOf(baseUrl: string) {
  let found = clients.get(baseUrl);
  if (!found) clients.set(baseUrl, (found = createClient<paths>({ baseUrl, fetch: send })));
  return found;
}

/** Operations of the chosen target. */
export const ofTarget = () => clientOf(addressOf(""));
/** Operations of the chosen model. */
export const ofModel = () => clientOf(modelAddress.value);
/** Operations of the service as a whole. */
export const ofService = () => clientOf(ROOT);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer; asks for a key where one is needed. */
export async function data<T>(asking: Promise<Answer<T>>): Promise<T> {
  const { data: found, error, response } = await asking;
  if (response.status === 401) keyWanted.value = true;
  if (!response.ok) {
    const detail = (error as { detail?: unknown } | undefined)?.detail;
    throw new Problem(typeof detail === "string" ? detail : `the service answered ${response.status}`);
  }
  return found as T;
}

/** Posts image files or one .npy array to a path of the target. */
export async function postImages<T>(path: string, images: File[] | Uint8Array<ArrayBuffer>): Promise<T> {
  let body: BodyInit;
  const headers: Record<string, string> = {};
  if (images instanceof Uint8Array) {
    body = images;
    headers["Content-Type"] = "application/x-npy";
  } else {
    const form = new FormData();
    for (const file of images) form.append("file", file, file.name);
    body = form;
  }
  const response = await send(new Request(addressOf(path), { method: "POST", body, headers }));
  const answered: unknown = await response.json().catch(() => undefined);
  return data<T>(Promise.resolve({ data: answered as T, error: answered, response }));
}

/** An error as a line for people. */
export const said = (error: unknown) => (error instanceof Error ? error.message : String(error));
