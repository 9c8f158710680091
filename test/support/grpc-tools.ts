import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import type { ListenAddress } from "@xcloudflow/chassis/listen";
import type { TlsMaterial } from "@xcloudflow/chassis/tls-files";
import { ServerReflection } from "@xcloudflow/proto/grpc/reflection/v1/reflection_pb";
import { execa } from "execa";
import { z } from "zod";

export { status as callerKinds };

/** The pinned grpcurl; builds it when it is not there. */
export async function grpcurl(args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const { stdout: path } = await execa(process.execPath, ["tools/tools.ts", "path", "grpcurl"], { cwd: ROOT });
  const { stdout, stderr } = await execa(path.trim(), [...args], { reject: false });
  return { stdout, stderr };
}

const ROOT = new URL("../..", import.meta.url).pathname;

type Answer = Record<string, unknown>;
const answerSchema = z.record(z.string(), z.unknown());

export interface GrpcJsClient {
  unary(method: string, request: object): Promise<Answer>;
  /** The first `count` messages; then the call is canceled. */
  stream(method: string, request: object, count: number): Promise<readonly Answer[]>;
  failure(method: string, request: object): Promise<ServiceError>;
  close(): void;
}

/** How a member of the mesh calls: with a certificate, and headers of its own instead of a token. */
export interface MemberCredentials {
  readonly tls: TlsMaterial;
  readonly headers: Readonly<Record<string, string>>;
}

/** A client of the reference implementation for Node that learns the service by reflection alone. */
export async function grpcJsClient(
  { host, port, url }: ListenAddress,
  token: string,
  service: string,
  member?: MemberCredentials,
): Promise<GrpcJsClient> {
  const headers = member?.headers ?? { authorization: `Bearer ${token}` };
  const nodeOptions = member === undefined ? {} : { ...member.tls };
  const set = await describe(createGrpcTransport({ baseUrl: url, nodeOptions }), headers, service);
  const definition = loadFileDescriptorSetFromBuffer(Buffer.from(set), { longs: String, bytes: String });
  const found = service
    .split(".")
    .reduce<unknown>((at, part) => (isObject(at) ? at[part] : undefined), loadPackageDefinition(definition));
  if (!isConstructor(found)) throw new Error(`reflection describes no ${service}`);
  const client = new found(`${host}:${port}`, credentialsOf(member));
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const methodOf = (name: string) => {
    const known = definition[service];
    const method = isObject(known) ? known[name] : undefined;
    return methodSchema.parse(method);
  };
  const call = (name: string, request: object): Promise<Answer> => {
    const { path, requestSerialize, responseDeserialize } = methodOf(name);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, answer) => {
      if (error) reject(error);
      else resolve(answerSchema.parse(JSON.parse(JSON.stringify(answer))));
    });
    return promise;
  };
  return {
    unary: call,
    stream(name, request, count) {
      const { path, requestSerialize, responseDeserialize } = methodOf(name);
      const answers: Answer[] = [];
      const { promise, resolve, reject } = Promise.withResolvers<readonly Answer[]>();
      const answering = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata);
      answering.on("data", (answer: unknown) => {
        answers.push(answerSchema.parse(JSON.parse(JSON.stringify(answer))));
        if (answers.length < count) return;
        resolve(answers);
        answering.cancel();
      });
      answering.on("error", reject);
      return promise;
    },
    failure: (name, request) =>
      call(name, request).then(
        () => Promise.reject(new Error(`${name} should have failed`)),
        (error: ServiceError) => error,
      ),
    close: () => client.close(),
  };
}

type Serialize = (value: object) => Buffer;
type Deserialize = (bytes: Buffer) => unknown;
const methodSchema = z.object({
  path: z.string(),
  requestSerialize: z.custom<Serialize>((value) => typeof value === "function"),
  responseDeserialize: z.custom<Deserialize>((value) => typeof value === "function"),
});

function credentialsOf(member: MemberCredentials | undefined): ReturnType<typeof credentials.createInsecure> {
  if (member === undefined) return credentials.createInsecure();
  const { ca, key, cert } = member.tls;
  return credentials.createSsl(ca, key, cert);
}

async function describe(
  transport: Transport,
  headers: Readonly<Record<string, string>>,
  service: string,
): Promise<Uint8Array> {
  const client = createClient(ServerReflection, transport);
  async function* ask() {
    yield { messageRequest: { case: "fileContainingSymbol" as const, value: service } };
  }
  const answers = client.serverReflectionInfo(ask(), { headers });
  for await (const { messageResponse } of answers) {
    if (messageResponse.case !== "fileDescriptorResponse") break;
    const file = messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
  }
  throw new Error(`reflection does not know ${service}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function isConstructor(
  value: unknown,
): value is new (
  address: string,
  secure: ReturnType<typeof credentials.createInsecure>,
) => Client {
  return typeof value === "function";
}
