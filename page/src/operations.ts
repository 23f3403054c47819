/** What an operator does by hand; the page is up to date when each of them returns. */
import { data, ofTarget, type Schemas } from "./api/client";
import { refresh, showing } from "./state";

export type Mode = Schemas["TargetInfo"]["mode"];

const done = (work: () => Promise<unknown>) =>
  showing(async () => {
    await work();
    await refresh();
  });

const because = (reason: string) => (reason ? { reason } : {});

export const promote = (number: number, reason: string, force: boolean) =>
  done(() =>
    data(
      ofTarget().POST("/versions/{number}/promote", {
        params: { path: { number } },
        body: { ...because(reason), force },
      }),
    ),
  );

export const rollBack = (version: number | null, reason: string) =>
  done(() =>
    data(ofTarget().POST("/rollback", { body: { ...because(reason), ...(version === null ? {} : { version }) } })),
  );

export const reset = (reason: string) => done(() => data(ofTarget().POST("/reset", { body: because(reason) })));

export const freeze = (frozen: boolean, reason: string) =>
  done(() => data(ofTarget().POST(frozen ? "/freeze" : "/unfreeze", { body: because(reason) })));

export const setMode = (mode: Mode, reason: string) =>
  done(() => data(ofTarget().PUT("/mode", { body: { mode, ...because(reason) } })));

export const changeDomain = (number: number, name: string, pinned: boolean, reason: string) =>
  done(() =>
    data(
      ofTarget().PUT("/domains/{number}", {
        params: { path: { number } },
        body: { pinned, ...(name ? { name } : {}), ...because(reason) },
      }),
    ),
  );

export const forgetDomain = (number: number) =>
  done(() => data(ofTarget().DELETE("/domains/{number}", { params: { path: { number } } })));
