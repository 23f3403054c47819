/** Follows the chosen target: its events, and what the service does every second. */
import { createEventSource, type EventSourceClient } from "eventsource-client";
import { addressOf, credentials, keyWanted, type Schemas } from "./client";

export interface Listener {
  change(event: Schemas["EventInfo"]): void;
  activity(activity: Schemas["ActivityInfo"]): void;
  connected(is: boolean): void;
}

/** Opens the stream, and again whenever it ends; call the result to stop. */
export function follow(listener: Listener): () => void {
  const source: EventSourceClient = createEventSource({
    url: new URL(addressOf("/stream"), location.href),
    headers: credentials(),
    fetch: async (url, init) => {
      const response = await fetch(url, init as RequestInit);
      if (response.status === 401) keyWanted.value = true;
      // Asking again would change nothing until there is another key or target.
      if ([401, 403, 404].includes(response.status)) source.close();
      return response as never;
    },
    onConnect: () => listener.connected(true),
    onDisconnect: () => listener.connected(false),
    onMessage: ({ event, data }) => {
      const value: unknown = JSON.parse(data);
      if (event === "change") listener.change(value as Schemas["EventInfo"]);
      if (event === "activity") listener.activity(value as Schemas["ActivityInfo"]);
    },
  });
  return () => source.close();
}
