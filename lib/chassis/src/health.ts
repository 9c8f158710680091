import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@xcloudflow/proto/grpc/health/v1/health_pb";

/** What a process says about itself and each of its services (grpc.health.v1). The empty name is the process. */
export interface HealthBoard {
  /** A name that was never set is unknown to `Check`. */
  set(service: string, serving: boolean): void;
  /** From now on, everything is out of service: callers go elsewhere while running calls end. */
  shutDown(): void;
  readonly routes: (router: ConnectRouter) => void;
}

/** Every service given serves from the start, and so does the process as a whole. */
export function createHealthBoard(services: readonly DescService[]): HealthBoard {
  const statuses = new Map<string, Status>(
    ["", ...services.map(({ typeName }) => typeName)].map((name) => [name, Status.SERVING]),
  );
  const watchers = new Set<() => void>();
  const change = (name: string, status: Status): void => {
    statuses.set(name, status);
    for (const wake of watchers) wake();
  };
  return {
    set: (service, serving) => change(service, serving ? Status.SERVING : Status.NOT_SERVING),
    shutDown: () => {
      for (const name of statuses.keys()) change(name, Status.NOT_SERVING);
    },
    routes: (router) =>
      void router.service(Health, {
        check: ({ service }) => {
          const status = statuses.get(service);
          if (status === undefined) throw new ConnectError(`no service "${service}" here`, Code.NotFound);
          return { status };
        },
        list: () => ({ statuses: Object.fromEntries([...statuses].map(([name, status]) => [name, { status }])) }),
        watch: ({ service }, { signal }) =>
          watchStatus(() => statuses.get(service) ?? Status.SERVICE_UNKNOWN, watchers, signal),
      }),
  };
}

/** The status now and after each change, until the caller leaves. */
async function* watchStatus(
  read: () => Status,
  watchers: Set<() => void>,
  signal: AbortSignal,
): AsyncGenerator<{ status: Status }> {
  let told: Status | undefined;
  let changed = Promise.withResolvers<void>();
  const wake = (): void => changed.resolve();
  watchers.add(wake);
  signal.addEventListener("abort", wake);
  try {
    while (!signal.aborted) {
      changed = Promise.withResolvers();
      const status = read();
      if (status === told) {
        await changed.promise;
      } else {
        told = status;
        yield { status };
      }
    }
  } finally {
    watchers.delete(wake);
    signal.removeEventListener("abort", wake);
  }
}
