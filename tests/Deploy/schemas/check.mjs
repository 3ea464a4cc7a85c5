// check.mjs MODULES FILE...: checks Kubernetes objects, each FILE a JSON list of them, against the published API.
//
// MODULES is the directory made by scripts/setup.sh: TypeScript and the npm packages that hold the API as types (kubernetes-models
// and its sisters for KEDA and the Prometheus operator). Two checks: the compiler reads each object as a literal of its type, which
// finds unknown fields, missing ones and wrong words; the package's own validator then checks formats and ranges.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const [given, ...files] = process.argv.slice(2);
const modules = resolve(given);
const require = createRequire(join(modules, "package.json"));
const ts = require("typescript");

// Where the type of a kind is: the package by the group's last part, then group, version and kind.
const packages = { "keda.sh": "@kubernetes-models/keda/keda.sh", "monitoring.coreos.com": "@kubernetes-models/prometheus-operator/monitoring.coreos.com" };
function moduleOf({ apiVersion, kind }) {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const prefix = packages[group] ?? (group === "" ? "kubernetes-models" : `kubernetes-models/${group}`);
  return `${prefix}/${version}/${kind}`;
}

const objects = files.flatMap(file => JSON.parse(readFileSync(file, "utf8")).map(object => ({ file, object })));
const lines = objects.map(({ object }, index) =>
  `import type { I${object.kind} as T${index} } from "${moduleOf(object)}";\nexport const o${index}: T${index} = ${JSON.stringify(object)};`);
const name = join(modules, "objects.ts");
const text = lines.join("\n");
const options = {
  strict: true, noEmit: true, skipLibCheck: true, target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [],
};
const host = ts.createCompilerHost(options);
const { fileExists, readFile, getSourceFile } = host;
host.fileExists = path => path === name || fileExists(path);
host.readFile = path => path === name ? text : readFile(path);
host.getSourceFile = (path, ...rest) => path === name ? ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true) : getSourceFile(path, ...rest);
const program = ts.createProgram([name], options, host);

let problems = 0;
function report(index, message) {
  const { file, object } = objects[index];
  console.error(`${file}: ${object.kind} ${object.metadata?.name}: ${message}`);
  problems++;
}

for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
  const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start).line ?? 0;
  report(Math.floor(line / 2), ts.flattenDiagnosticMessageText(diagnostic.messageText, " "));
}

for (const [index, { object }] of objects.entries()) {
  try {
    const model = await import(join(modules, "node_modules", `${moduleOf(object)}.js`));
    new model[object.kind](object).validate();
  } catch (error) {
    report(index, error.message);
  }
}

console.log(`${objects.length} objects, ${problems} problems`);
process.exit(problems === 0 ? 0 : 1);
