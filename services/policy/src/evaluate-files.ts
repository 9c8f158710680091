import { posix } from "node:path";
import type { BundleEvaluator, EvaluationItem } from "./bundle-evaluator.ts";
import { judge } from "./conftest-conventions.ts";
import { type ReportedCheck, reportCheck } from "./conftest-report.ts";
import { printEs6Json, printGoJson } from "./go-json.ts";
import { combineInputs, type InputFile, readInputFile } from "./input-documents.ts";
import { chooseNamespaces, isKnown, type NamespaceQuestion } from "./namespace-choice.ts";
import type { PolicyFile } from "./policy-bundle.ts";

export interface FilesQuestion {
  readonly inputs: readonly PolicyFile[];
  readonly namespaces: NamespaceQuestion;
  readonly combine: boolean;
  /** Absolute; what relative paths of inputs are relative to, for `data.conftest.file.dir`. */
  readonly directory: string;
}

/** Judges files as `conftest test --output json` would; the order is that of the namespaces, then of the files. */
export async function evaluateFiles(evaluator: BundleEvaluator, question: FilesQuestion): Promise<ReportedCheck[]> {
  const files = question.inputs.map(readInputFile);
  const inputs = question.combine ? [combineInputs(files)] : files;
  const namespaces = chooseNamespaces(question.namespaces, evaluator.index);
  const asked = namespaces.filter((namespace) => isKnown(namespace, evaluator.index));
  const items = inputs.flatMap((input) => input.documents.map((document) => toItem(input, document, question)));
  const replies = await evaluator.evaluate(items, asked);
  return namespaces.flatMap((namespace) => {
    const position = asked.indexOf(namespace);
    let next = 0;
    return inputs.map(({ path, documents }) => {
      const own = replies.slice(next, next + documents.length).flatMap((reply) => reply[position] ?? []);
      next += documents.length;
      return reportCheck(
        path,
        namespace.name,
        own.map((reply) => judge(reply.namespace, reply.answer)),
      );
    });
  });
}

function toItem({ path }: InputFile, document: unknown, { directory, combine }: FilesQuestion): EvaluationItem {
  const absolute = posix.resolve(directory, path);
  return {
    document: Buffer.from(combine ? printEs6Json(document) : printGoJson(document)),
    file: { name: posix.basename(absolute), dir: posix.dirname(absolute) },
  };
}
