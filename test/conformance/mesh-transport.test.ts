import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import { after, before, describe, test } from "node:test";
import type { Transport } from "@connectrpc/connect";
import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { createClients } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { listen } from "@xcloudflow/chassis/listen";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMeshTransport } from "@xcloudflow/chassis/mesh-transport";
import { type MeshServer, serveMesh } from "@xcloudflow/chassis/serve-mesh";
import type { TlsMaterial } from "@xcloudflow/chassis/tls-files";
import { type CertificateAuthority, createCertificateAuthority } from "@xcloudflow/mesh/certificate-authority";
import { StateService } from "@xcloudflow/proto/state/v1/state_pb";

const clock = createSystemClock();
const caller = as(serviceCaller("acme", "orchestrator"));

/** How a replica goes away while it is at a call. */
const DEATHS: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  "resets the stream as canceled": (stream) => stream.close(8),
  "refuses the stream": (stream) => stream.close(7),
  "loses its connection": (stream) => stream.session?.socket.destroy(),
  "loses its connection after its headers": (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" });
    setImmediate(() => stream.session?.destroy());
  },
  "loses its connection within its answer": (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" });
    stream.write(Buffer.from([0, 0, 0, 0, 9, 1]), () => stream.session?.destroy());
  },
  "ends its answer too early": (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" });
    stream.end();
  },
};

describe("the transport between members of a mesh", () => {
  let authority: CertificateAuthority;
  let tls: TlsMaterial;
  let living: MeshServer;
  let dying: Http2SecureServer;
  let dyingUrl: string;
  let die: (stream: ServerHttp2Stream) => void = () => undefined;
  let died = 0;

  before(async () => {
    authority = await createCertificateAuthority(new Date());
    const material = async (name: string): Promise<TlsMaterial> => {
      const { cert, key } = await authority.issue(name, `spiffe://xcloudflow/service/${name}`);
      return { cert: Buffer.from(cert), key: Buffer.from(key), ca: Buffer.from(authority.cert) };
    };
    tls = await material("orchestrator");
    living = await serveMesh({
      routes: [
        (router) =>
          void router.service(StateService, {
            getChangeSet: ({ id }) => ({ document: new TextEncoder().encode(id) }),
          }),
      ],
      tls: await material("state"),
      trustDomain: "xcloudflow",
      listen: { host: "127.0.0.1", port: 0 },
      logger: silentLogger,
      clock,
      newReference: () => "err_1",
    });
    dying = createSecureServer({ ...(await material("state")) });
    dying.on("stream", (stream) => {
      stream.on("error", () => undefined);
      died += 1;
      die(stream);
    });
    dyingUrl = (await listen(dying, { host: "127.0.0.1", port: 0 })).url.replace("http:", "https:");
  });

  after(async () => {
    await living.close();
    dying.close();
    await once(dying, "close").catch(() => undefined);
  });

  const transportTo = (...state: string[]): Transport => createMeshTransport({ places: { state }, tls, clock });
  const livingUrl = (): string => living.address.url.replace("http:", "https:");

  for (const [how, death] of Object.entries(DEATHS)) {
    test(`a call is made again at the next replica when one ${how}`, async () => {
      die = death;
      died = 0;
      const { state } = createClients(transportTo(dyingUrl, livingUrl()));
      for (let n = 0; n < 2; n += 1) {
        const { document } = await state.getChangeSet({ id: `cs_${n}` }, caller);
        assert.equal(new TextDecoder().decode(document), `cs_${n}`);
      }
      assert.equal(died, 1, "it was asked, and died");
    });

    test(`a stream of answers is said to be unavailable when the replica ${how}`, async () => {
      die = death;
      const { state } = createClients(transportTo(dyingUrl));
      const read = async (): Promise<void> => {
        for await (const _ of state.getArtefact({ id: "sha256:1" }, caller));
      };
      await assert.rejects(read, { category: "unavailable" });
    });

    test(`a stream of parts is said to be unavailable when the replica ${how}`, async () => {
      die = death;
      const { state } = createClients(transportTo(dyingUrl));
      async function* parts() {
        yield { part: { case: "header" as const, value: { kind: "plan", unit: "dev/a/b", id: "sha256:1" } } };
        for (;;) yield { part: { case: "data" as const, value: new Uint8Array(1_000) } };
      }
      await assert.rejects(state.putArtefact(parts(), caller), { category: "unavailable" });
    });
  }
});
