/** What the page knows of the service, kept up to date by the stream. */
import { computed, effect, signal } from "@preact/signals";
import { data, keyWanted, ofModel, ofService, ofTarget, said, type Schemas } from "./api/client";
import { follow } from "./api/stream";

type Event = Schemas["EventInfo"];
export type Activity = Schemas["ActivityInfo"];
export type Version = Schemas["VersionInfo"];

const MINUTES = 10;
const KEPT = MINUTES * 60;

export const health = signal<Schemas["Health"] | null>(null);
export const targets = signal<string[]>([]);
export const info = signal<Schemas["TargetInfo"] | null>(null);
export const events = signal<Event[]>([]);
export const domains = signal<Schemas["Domains"] | null>(null);
export const drift = signal<Schemas["Drift"] | null>(null);
export const connected = signal(false);
export const problem = signal("");
/** The last minutes, second by second. */
export const activities = signal<Activity[]>([]);
export interface DriftPoint {
  at: number;
  z: number | null;
  traffic: number | null;
  limit: number;
}
/** Drift as it was asked for while the page is open. */
export const drifts = signal<DriftPoint[]>([]);

export const now = computed(() => activities.value.at(-1) ?? null);
/** Version that is served, as it was heard of last. */
export const serving = signal(0);
export const alarms = computed(() => events.value.filter((event) => event.alarm || event.kind === "alarm"));

/** The name that a person gave a domain. */
export const nameOfDomain = (number: number) =>
  domains.value?.domains.find((each) => each.number === number)?.name;

/** Runs something that asks the service; what goes wrong is shown at the top of the page. */
export async function showing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    const result = await work();
    problem.value = "";
    return result;
  } catch (error) {
    problem.value = said(error);
    return undefined;
  }
}

/** Asks for everything that changes with events. */
export async function refresh(): Promise<void> {
  const api = ofTarget();
  const [found, page, where] = await Promise.all([
    data(api.GET("/versions", { params: { query: { limit: 200 } } })),
    data(api.GET("/events", { params: { query: { limit: 200 } } })),
    data(api.GET("/domains")),
  ]);
  info.value = found;
  serving.value = found.serving;
  events.value = page.events;
  domains.value = where;
  await refreshDrift();
}

/** Asks for the drift of now. */
export async function refreshDrift(): Promise<void> {
  const found = await data(ofTarget().GET("/drift"));
  drift.value = found;
  const point = { at: Date.now() / 1000, z: found.z, traffic: found.traffic.z, limit: found.limit };
  drifts.value = [...drifts.value, point].slice(-KEPT);
}

async function refreshService(): Promise<void> {
  health.value = await data(ofService().GET("/health/ready"));
  targets.value = (await data(ofModel().GET("/targets"))).targets;
}

let due: ReturnType<typeof setTimeout> | undefined;

/** Asks again soon; many events at once are one question. */
function refreshSoon(): void {
  clearTimeout(due);
  due = setTimeout(() => void showing(refresh), 80);
}

/** Follows the chosen target from now on, and the next one when another is chosen. */
export function start(): void {
  effect(() => {
    activities.value = [];
    drifts.value = [];
    info.value = null;
    void showing(async () => {
      await refreshService();
      await refresh();
      keyWanted.value = false;
    });
    // Asks for the key and the target, and begins anew when one of them is another.
    return follow({
      connected: (is) => {
        connected.value = is;
        // It may be another service than before, whose history says nothing of what was missed.
        if (is) refreshSoon();
      },
      change: refreshSoon,
      activity: (activity) => {
        activities.value = [...activities.value, activity].slice(-KEPT);
        serving.value = activity.serving;
      },
    });
  });
  setInterval(() => {
    if (connected.value && !document.hidden) void refreshDrift().catch(() => undefined);
  }, 5000);
}
