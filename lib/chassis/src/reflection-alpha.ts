import {
  clone,
  create,
  createFileRegistry,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescService,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import {
  file_grpc_reflection_v1_reflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "@xcloudflow/proto/grpc/reflection/v1/reflection_pb";

const V1 = "grpc.reflection.v1";
const ALPHA = "grpc.reflection.v1alpha";

/**
 * grpc.reflection.v1alpha, which many tools speak only (ghz among them): the same messages byte for byte under the name
 * they had before, so the descriptor is v1's with another package.
 */
export const alphaReflection: DescService = renamed();

function renamed(): DescService {
  const file = clone(FileDescriptorProtoSchema, file_grpc_reflection_v1_reflection.proto);
  const rename = (name: string): string => name.replace(`.${V1}.`, `.${ALPHA}.`);
  file.name = file.name.replace("/v1/", "/v1alpha/");
  file.package = ALPHA;
  for (const message of file.messageType)
    for (const field of message.field) if (field.typeName !== "") field.typeName = rename(field.typeName);
  for (const service of file.service)
    for (const method of service.method) {
      method.inputType = rename(method.inputType);
      method.outputType = rename(method.outputType);
    }
  const found = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] })).getService(
    `${ALPHA}.ServerReflection`,
  );
  if (found === undefined) throw new Error("the descriptor of reflection has its service");
  return found;
}

type Reflect = (requests: AsyncIterable<ServerReflectionRequest>) => AsyncIterable<ServerReflectionResponse>;

/** Serves v1alpha with v1's implementation. */
export function alphaReflectionRoutes(reflect: Reflect): (router: ConnectRouter) => void {
  const method = alphaReflection.methods.find(streamsBothWays);
  if (method === undefined) throw new Error("reflection is one stream both ways");
  return (router) => void router.rpc(method, (requests) => translate(method, requests, reflect));
}

function streamsBothWays(method: DescMethod): method is DescMethodBiDiStreaming {
  return method.methodKind === "bidi_streaming";
}

async function* translate(
  { input, output }: DescMethodBiDiStreaming,
  requests: AsyncIterable<Message>,
  reflect: Reflect,
): AsyncGenerator<Message> {
  async function* asV1(): AsyncGenerator<ServerReflectionRequest> {
    for await (const request of requests) yield fromBinary(ServerReflectionRequestSchema, toBinary(input, request));
  }
  for await (const response of reflect(asV1()))
    yield fromBinary(output, toBinary(ServerReflectionResponseSchema, response));
}
