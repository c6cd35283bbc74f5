// Runs a check script under real MicroPython (WebAssembly), with this repository's board files importable.
//
//   node tests/micropython/run.mjs CHECK.py [DATA...]
//
// The files of protocol/__init__.py, protocol/wire, devices and devices/boards lie in its /lib; CHECK.py and the DATA
// files lie in its working directory under their own names. What the check prints is printed.
// Exit: 0 the check ran to its end, 1 it raised, 2 usage, 3 MicroPython is not installed.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "../..");
const PACKAGE = "@micropython/micropython-webassembly-pyscript/micropython.mjs";
const BOARD_FOLDERS = ["protocol/wire", "devices", "devices/boards"];
const HEAP_BYTES = 1 << 20; // far more than a board has: what memory a board needs is measured elsewhere

function findMicroPython() {
  const places = [process.env.SIXKIT_NODE_MODULES, join(HERE, "node_modules"), join(ROOT, "node_modules")];
  const found = places.filter(Boolean).map((place) => resolve(place, PACKAGE)).find(existsSync);
  if (found === undefined) {
    console.error("MicroPython is not installed: npm install --prefix tests/micropython, or set SIXKIT_NODE_MODULES");
    process.exit(3);
  }
  return pathToFileURL(found).href;
}

function boardFiles() {
  const inside = BOARD_FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".py")).map((name) => `${folder}/${name}`));
  return ["protocol/__init__.py", ...inside];
}

function copyIn(fs, from, to) {
  fs.mkdirTree(dirname(to));
  fs.writeFile(to, readFileSync(from));
}

const [check, ...data] = process.argv.slice(2);
const missing = [check, ...data].filter((path) => path === undefined || !existsSync(path));
if (missing.length > 0) {
  console.error(check === undefined ? "usage: run.mjs CHECK.py [DATA...]" : `no such file: ${missing.join(", ")}`);
  process.exit(2);
}

const { loadMicroPython } = await import(findMicroPython());
const python = await loadMicroPython({ stdout: (line) => console.log(line), linebuffer: true, heapsize: HEAP_BYTES });
for (const file of boardFiles()) copyIn(python.FS, join(ROOT, file), `/lib/${file}`);
for (const file of [check, ...data]) copyIn(python.FS, file, `/check/${basename(file)}`);
python.FS.chdir("/check");
try {
  python.runPython(readFileSync(check, "utf8"));
} catch (error) {
  console.error(String(error.message ?? error));
  process.exit(1);
}
