import { create, createRegistry, type DescFile, type DescService, type Registry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "@xcloudflow/proto/grpc/reflection/v1/reflection_pb";
import { alphaReflection, alphaReflectionRoutes } from "./reflection-alpha.ts";

type Response = Pick<ServerReflectionResponse, "validHost" | "originalRequest"> & {
  readonly messageResponse: MessageInit;
};
type MessageInit =
  | { readonly case: "fileDescriptorResponse"; readonly value: { readonly fileDescriptorProto: Uint8Array[] } }
  | {
      readonly case: "allExtensionNumbersResponse";
      readonly value: { readonly baseTypeName: string; readonly extensionNumber: number[] };
    }
  | { readonly case: "listServicesResponse"; readonly value: { readonly service: { readonly name: string }[] } }
  | { readonly case: "errorResponse"; readonly value: { readonly errorCode: number; readonly errorMessage: string } };

interface Files {
  readonly all: readonly DescFile[];
  readonly types: Registry;
}

/**
 * grpc.reflection.v1 and v1alpha: lets grpcurl and other tools list and call the services without a proto file.
 *
 * @param services what the server serves; they and all that they import can be asked for.
 */
export function reflectionRoutes(services: readonly DescService[]): (router: ConnectRouter) => void {
  const served = [...services, ServerReflection, alphaReflection];
  const all = withImports(served.map(({ file }) => file));
  const files: Files = { all, types: createRegistry(...all) };
  async function* serverReflectionInfo(requests: AsyncIterable<ServerReflectionRequest>) {
    for await (const request of requests) yield create(ServerReflectionResponseSchema, answer(request, files, served));
  }
  const routeAlpha = alphaReflectionRoutes(serverReflectionInfo);
  return (router) => {
    router.service(ServerReflection, { serverReflectionInfo });
    routeAlpha(router);
  };
}

function answer(request: ServerReflectionRequest, files: Files, served: readonly DescService[]): Response {
  return {
    validHost: request.host,
    originalRequest: request,
    messageResponse: lookUp(request.messageRequest, files, served),
  };
}

function lookUp(
  query: ServerReflectionRequest["messageRequest"],
  files: Files,
  served: readonly DescService[],
): MessageInit {
  switch (query.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: {
          service: served.map(({ typeName }) => ({ name: typeName })).sort((a, b) => (a.name < b.name ? -1 : 1)),
        },
      };
    case "fileByFilename":
      return found(
        files.all.find(({ proto }) => proto.name === query.value),
        query.value,
      );
    case "fileContainingSymbol":
      return found(fileOfSymbol(files, query.value), query.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = query.value;
      return found(fileOfExtension(files, containingType, extensionNumber), `${containingType}:${extensionNumber}`);
    }
    case "allExtensionNumbersOfType": {
      if (files.types.getMessage(query.value) === undefined) return missing(query.value);
      const extensionNumber = [...extensionsOf(files, query.value)].map(({ number }) => number);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: query.value, extensionNumber } };
    }
    case undefined:
      return {
        case: "errorResponse",
        value: { errorCode: Code.InvalidArgument, errorMessage: "the request asks for nothing" },
      };
  }
}

function found(file: DescFile | undefined, name: string): MessageInit {
  if (file === undefined) return missing(name);
  // The file first, then what it imports: tools build their descriptors from one answer.
  const fileDescriptorProto = withImports([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function missing(name: string): MessageInit {
  return { case: "errorResponse", value: { errorCode: Code.NotFound, errorMessage: `nothing here is called ${name}` } };
}

/** A symbol is a type, a service, an extension, or a member of one: `pkg.Service.Method`, `pkg.Message.field`. */
function fileOfSymbol(files: Files, symbol: string): DescFile | undefined {
  const name = symbol.replace(/^\./, "");
  const direct = files.types.get(name);
  if (direct !== undefined) return direct.file;
  const dot = name.lastIndexOf(".");
  const parent = dot < 0 ? undefined : files.types.get(name.slice(0, dot));
  const member = name.slice(dot + 1);
  if (parent?.kind === "service" && parent.methods.some((method) => method.name === member)) return parent.file;
  if (parent?.kind === "message" && [...parent.fields, ...parent.oneofs].some((field) => field.name === member))
    return parent.file;
  if (parent?.kind === "enum" && parent.values.some((value) => value.name === member)) return parent.file;
  return undefined;
}

function fileOfExtension(files: Files, containingType: string, number: number): DescFile | undefined {
  for (const extension of extensionsOf(files, containingType)) if (extension.number === number) return extension.file;
  return undefined;
}

function* extensionsOf(files: Files, containingType: string): Generator<{ number: number; file: DescFile }> {
  for (const type of files.types)
    if (type.kind === "extension" && type.extendee.typeName === containingType) yield type;
}

function withImports(files: readonly DescFile[]): DescFile[] {
  const seen = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (seen.has(file)) return;
    seen.add(file);
    file.dependencies.forEach(visit);
  };
  files.forEach(visit);
  return [...seen];
}
