import { startEmbedded } from "@xcloudflow/embedded/control-plane";
import { READY_FD } from "@xcloudflow/embedded/owner/owner-cli";
import { runOwner } from "@xcloudflow/embedded/owner/owner-process";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { type Surroundings, startSelf } from "../surroundings.ts";
import { startOwnTelemetry } from "../verb-tracing.ts";

/** How long the owner stays after its last client, so that the next verb need not start one. */
const LINGER_MS = 20_000;

/** Opens the folder's database and serves it to this user's other xcf processes until nobody needs it. */
export async function owner(surroundings: Surroundings, folder: string): Promise<ExitCode> {
  const telemetry = await startOwnTelemetry(surroundings, "xcf-embedded");
  const code = await runOwner({
    dir: folder,
    version: surroundings.version,
    clock: surroundings.clock,
    startControlPlane: ({ dir }) =>
      startEmbedded({
        dir,
        environment: surroundings.environment,
        clock: surroundings.clock,
        version: surroundings.version,
        initdb: startSelf(surroundings, "initdb"),
      }),
    lingerMs: LINGER_MS,
    readyFd: READY_FD,
    onStop: (stop) => surroundings.interrupted.addEventListener("abort", stop),
  });
  await telemetry.shutdown();
  return code === 0 ? EXIT.done : EXIT.failed;
}
