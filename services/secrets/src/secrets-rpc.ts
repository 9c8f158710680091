import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { callerOf } from "@xcloudflow/chassis/caller";
import { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import { putBackends } from "./backends-store.ts";
import { raiseFence } from "./resolution-store.ts";
import { checkSecrets, resolveSecrets } from "./resolve-secrets.ts";
import type { SecretsContext } from "./secrets-context.ts";
import { actorOf } from "./secrets-events.ts";

/** `SecretsService` over the functions of this workspace: nothing is decided here. */
export function secretsRoutes(context: SecretsContext): (router: ConnectRouter) => void {
  const encoder = new TextEncoder();
  const implementation: ServiceImpl<typeof SecretsService> = {
    async resolve({ attemptToken, references, requestKey }, call) {
      const values = await resolveSecrets(context, callerOf(call), attemptToken, references, requestKey);
      return { values: values.map((value) => encoder.encode(value.reveal())) };
    },
    async check({ references }, call) {
      return { findings: await checkSecrets(context, callerOf(call).tenant, references) };
    },
    async configureBackends({ repository, backendsDocument }, call) {
      await putBackends(context, whoOf(call), repository, backendsDocument);
      return {};
    },
    async raiseFence({ unit, fence }, call) {
      return { fence: await raiseFence(context, whoOf(call), unit, fence) };
    },
  };
  return (router) => {
    router.service(SecretsService, implementation);
  };
}

function whoOf(call: Parameters<typeof callerOf>[0]): { readonly tenant: string; readonly actor: string } {
  const caller = callerOf(call);
  return { tenant: caller.tenant, actor: actorOf(caller) };
}
